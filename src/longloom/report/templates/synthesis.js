"use strict";
// Texts of documents reach the page through textContent alone, never as markup.
(function () {
  const pages = JSON.parse(document.getElementById("examples-json").textContent);
  const taskNames = JSON.parse(document.getElementById("task-names").textContent);
  const app = document.getElementById("examples-app");
  const note = document.getElementById("examples-note");
  const titles = pages.documents;
  const examples = pages.examples;
  const tasks = Object.keys(taskNames);
  const words = examples.map(searched);
  let matching = examples.map((_, index) => index);
  let chosen = -1;

  function make(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function add(parent, ...children) {
    for (const child of children) if (child) parent.appendChild(child);
    return parent;
  }

  function taskName(task) {
    return Object.prototype.hasOwnProperty.call(taskNames, task) ? taskNames[task] : task;
  }

  function taskColour(task) {
    return "c" + Math.max(0, tasks.indexOf(task)) % 6;
  }

  function plain(name) {
    return name.replaceAll("_", " ");
  }

  function searched(example) {
    const parts = [example.question, example.answer, example.id];
    for (const [, text] of example.options) parts.push(text);
    for (const [place] of example.strip) parts.push(titles[place].title);
    return parts.join("\n").toLowerCase();
  }

  // Filters

  function choice(name, label, values) {
    const select = make("select");
    select.name = name;
    add(select, new Option("all", ""));
    for (const [value, shown, count] of values) add(select, new Option(shown + " (" + count + ")", value));
    select.addEventListener("change", filter);
    return [add(make("label", "", label), select), select];
  }

  function counted(valuesOf, shownAs, order) {
    const counts = new Map();
    for (const example of examples) {
      for (const value of new Set(valuesOf(example))) counts.set(value, (counts.get(value) || 0) + 1);
    }
    const listed = [...counts].map(([value, count]) => [String(value), shownAs(value), count]);
    return listed.sort(order || ((one, other) => other[2] - one[2] || (one[1] < other[1] ? -1 : 1)));
  }

  const [taskLabel, taskSelect] = choice("task", "Task",
    counted((example) => [example.task], taskName));
  const [abilityLabel, abilitySelect] = choice("category", "Category",
    counted((example) => [example.ability], plain));
  const [genreLabel, genreSelect] = choice("genre", "Genre",
    counted((example) => example.genres, plain));
  const [goldLabel, goldSelect] = choice("documents", "Documents needed",
    counted((example) => [example.gold.length], String, (one, other) => one[0] - other[0]));
  const search = make("input");
  search.type = "search";
  search.placeholder = "words of the question, answer or a title";
  search.addEventListener("input", filter);
  const reset = make("button", "move", "Clear");
  reset.type = "button";
  reset.addEventListener("click", () => {
    for (const select of [taskSelect, abilitySelect, genreSelect, goldSelect]) select.value = "";
    search.value = "";
    filter();
  });

  function filter() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    matching = [];
    examples.forEach((example, index) => {
      const fits = (!taskSelect.value || example.task === taskSelect.value) &&
        (!abilitySelect.value || example.ability === abilitySelect.value) &&
        (!genreSelect.value || example.genres.includes(genreSelect.value)) &&
        (!goldSelect.value || example.gold.length === Number(goldSelect.value)) &&
        wanted.every((word) => words[index].includes(word));
      if (fits) matching.push(index);
    });
    fill();
    shown.hidden = !matching.length;
    if (matching.length) show(matching.includes(chosen) ? chosen : matching[0], false);
  }

  // The list

  const tally = make("p", "tally");
  tally.setAttribute("role", "status");
  const list = make("ul", "questions");
  list.tabIndex = 0;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Questions");
  list.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -examples.length, End: examples.length };
    if (!Object.prototype.hasOwnProperty.call(steps, event.key)) return;
    event.preventDefault();
    move(steps[event.key]);
  });

  function fill() {
    tally.textContent = matching.length + " of " + examples.length + " examples";
    list.replaceChildren();
    for (const index of matching) {
      const example = examples[index];
      const row = make("li");
      row.id = "question-" + index;
      row.setAttribute("role", "option");
      const line = make("small");
      add(line, make("i", taskColour(example.task)),
        make("span", "", taskName(example.task) + " \u00b7 " + plain(example.ability)));
      add(row, line, make("p", "", example.question));
      row.addEventListener("click", () => show(index, false));
      add(list, row);
    }
    if (!matching.length) add(list, make("li", "none", "No example fits all filters."));
  }

  function mark() {
    for (const row of list.children) {
      const isChosen = row.id === "question-" + chosen;
      row.setAttribute("aria-selected", String(isChosen));
      if (!isChosen) continue;
      list.setAttribute("aria-activedescendant", row.id);
      const top = row.offsetTop;
      if (top < list.scrollTop) list.scrollTop = top;
      const under = top + row.offsetHeight - list.clientHeight;
      if (under > list.scrollTop) list.scrollTop = under;
    }
  }

  // One example

  const shown = make("article", "example card");

  function tags(example) {
    const row = make("ul", "tags");
    const task = make("li");
    add(task, make("i", taskColour(example.task)), make("b", "", taskName(example.task)));
    add(row, task, make("li", "", plain(example.ability)));
    for (const genre of example.genres) add(row, make("li", "", plain(genre)));
    const counts = [
      [example.num_hops, "hop"], [example.gold.length, "document"], [example.num_spans, "piece", " of evidence"],
    ];
    for (const [count, noun, rest] of counts) {
      add(row, make("li", "", count + " " + noun + (count === 1 ? "" : "s") + (rest || "")));
    }
    add(row, make("li", "", example.num_tokens.toLocaleString("en") + " tokens"));
    if (example.split !== "train") add(row, make("li", "", plain(example.split)));
    return row;
  }

  function answer(example) {
    if (!example.options.length) {
      return add(document.createDocumentFragment(), make("h4", "", "Answer"), make("p", "gold", example.answer));
    }
    const options = make("ul", "options");
    for (const [letter, text] of example.options) {
      const isRight = letter === example.answer;
      const option = make("li", isRight ? "right" : "");
      if (isRight) option.setAttribute("aria-label", "right answer: " + letter + ". " + text);
      add(options, add(option, make("span", "letter", letter), make("span", "", text)));
    }
    return options;
  }

  function program(lines) {
    const drawing = make("ul", "program");
    for (const [depth, role, step, parts, found] of lines) {
      const line = make("li");
      line.setAttribute("style", "--depth:" + Number(depth));
      if (role) add(line, make("span", "role", role));
      add(line, make("span", "step", step));
      for (const [kind, name, text] of parts) {
        const part = make("span", kind, kind === "setting" ? name + " " + text : text);
        part.title = name;
        add(line, part);
      }
      if (found) add(line, make("span", "found", found));
      add(drawing, line);
    }
    return drawing;
  }

  function strip(example) {
    const whole = make("div", "whole");
    for (const [place, start, end] of example.strip) {
      const part = make("i", example.gold.includes(place) ? "gold" : "");
      part.style.left = start + "%";
      part.style.width = Math.max(0.3, end - start) + "%";
      part.title = titles[place].title;
      add(whole, part);
    }
    const box = add(make("div", "strip"), whole);
    for (const tick of example.ticks) {
      const line = make("u");
      line.style.left = tick + "%";
      add(box, line);
    }
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", example.strip.length + " documents in the order of the context, " +
      example.gold.length + " of them needed");
    return add(box, make("small", "", "0%"), make("small", "", "100%"));
  }

  function sheet(places) {
    const rows = make("ul", "sheet");
    for (const place of places) {
      const title = titles[place];
      const row = add(make("li"), make("b", "", title.title));
      for (const text of [plain(title.genre), title.date, title.licence, title.source]) {
        if (text) add(row, make("span", "", text));
      }
      add(rows, row);
    }
    return rows;
  }

  function excerpt([place, depth, segments]) {
    const box = make("div", "excerpt");
    const text = make("p", "text");
    if (segments.length > 12) text.tabIndex = 0;  // long enough to scroll
    for (const [kind, piece] of segments) {
      if (kind === "e") add(text, make("mark", "", piece));
      else add(text, document.createTextNode(piece));
    }
    const top = add(make("header"), make("b", "", titles[place].title), make("span", "", "at " + depth.toFixed(1) + "%"));
    return add(box, top, text);
  }

  function show(index, isKey) {
    chosen = index;
    const example = examples[index];
    const place = matching.indexOf(index);
    const before = make("button", "move", "\u2190 previous");
    const after = make("button", "move", "next \u2192");
    before.type = after.type = "button";
    before.disabled = place <= 0;
    after.disabled = place + 1 >= matching.length;
    before.addEventListener("click", () => move(-1));
    after.addEventListener("click", () => move(1));
    const top = add(make("div", "top"), make("span", "", "Question " + example.number.toLocaleString("en") + " of " + pages.num_examples.toLocaleString("en")),
      add(make("div"), before, after));
    const others = example.strip.map(([other]) => other).filter((other) => !example.gold.includes(other));
    const hasFound = example.program.some((line) => line[4]);
    shown.replaceChildren();
    add(shown, top, tags(example), make("p", "question", example.question), answer(example));
    add(shown, make("h4", "", hasFound ? "Program, and what each step finds" : "Program"), program(example.program));
    add(shown, make("h4", "", "The context: documents that answer shaded, evidence as lines"), strip(example));
    add(shown, make("h4", "", "Documents that answer"), sheet(example.gold));
    if (others.length) {
      const fold = make("details", "fold");
      add(fold, make("summary", "", others.length + (others.length === 1 ? " distractor" : " distractors")), sheet(others));
      add(shown, fold);
    }
    add(shown, make("h4", "", "Evidence, and its place in the context"));
    for (const piece of example.excerpts) add(shown, excerpt(piece));
    if (example.num_hidden) add(shown, make("p", "note", example.num_hidden + " further pieces of evidence are not shown."));
    add(shown, make("p", "note", "Scored by " + plain(example.rule) + ". Example id " + example.id + "."));
    mark();
    if (isKey) {
      const edge = shown.getBoundingClientRect().top;
      if (edge < 0 || edge > window.innerHeight * 0.8) shown.scrollIntoView({ block: "start", behavior: "instant" });
    }
  }

  function move(steps) {
    if (!matching.length) return;
    const place = Math.min(matching.length - 1, Math.max(0, matching.indexOf(chosen) + steps));
    show(matching[place], true);
  }

  document.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, j: 1, k: -1 };
    const isTyping = event.target instanceof Element && event.target.closest("input, select, textarea, .scroll");
    const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
    const isSeen = app.getBoundingClientRect().top < window.innerHeight && app.getBoundingClientRect().bottom > 0;
    if (isTyping || hasModifier || !isSeen || !Object.prototype.hasOwnProperty.call(steps, event.key)) return;
    event.preventDefault();
    move(steps[event.key]);
  });

  if (!examples.length) {
    note.className = "missing";
    note.textContent = "There are no examples to show.";
    return;
  }
  note.replaceChildren("A sample of " + examples.length + ", spread over tasks and genres. ", make("kbd", "", "\u2190"), " ",
    make("kbd", "", "\u2192"), " step through them.");
  const filters = add(make("div", "filters"), taskLabel, abilityLabel, genreLabel, goldLabel,
    add(make("label", "search", "Search"), search), reset);
  const browser = add(make("div", "browser"), add(make("div", "results"), tally, list), shown);
  add(app, filters, browser);
  fill();
  show(0, false);
})();
