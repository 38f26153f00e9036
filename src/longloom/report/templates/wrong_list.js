"use strict";
// Texts of models and files reach the page through textContent alone, never as markup.
(function () {
  const list = JSON.parse(document.getElementById("list-json").textContent);
  const app = document.getElementById("list-app");
  const SHOWN_AT_ONCE = 200, MOST_CHOICES = 80;
  const [NUMBER, PAGE, ID, QUERY, GOLD, ANSWER, STRICT, PARITY, FAILURES, VERDICTS, TOKENS, FACETS] = [...Array(12).keys()];
  const rows = list.rows;
  const words = rows.map((row) => [row[ID], row[QUERY], row[GOLD], row[ANSWER]].join("\n").toLowerCase());
  let matching = rows, limit = SHOWN_AT_ONCE;

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
  function plain(name) { return name.replaceAll("_", " "); }
  function percent(value) { return (100 * value).toFixed(value === 0 || value === 1 ? 0 : 1); }

  const choices = [];
  function choice(name, label, valuesOf) {
    const counts = new Map();
    for (const row of rows) for (const value of new Set(valuesOf(row))) counts.set(value, (counts.get(value) || 0) + 1);
    if (counts.size < 1 || (counts.size === 1 && [...counts.values()][0] === rows.length)) return null;
    if (counts.size > MOST_CHOICES) return null;
    const select = make("select");
    add(select, new Option("all", ""));
    for (const [value, count] of [...counts].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1))) {
      add(select, new Option(plain(value) + " (" + count + ")", value));
    }
    select.addEventListener("change", changed);
    choices.push({ name, select, valuesOf });
    return add(make("label", "", label), select);
  }

  const bar = make("div", "filters");
  for (const facet of list.facets) {
    add(bar, choice(facet, plain(facet), (row) => Object.hasOwn(row[FACETS], facet) ? [row[FACETS][facet]] : []));
  }
  add(bar, choice("~failure", "failure", (row) => row[FAILURES].length ? row[FAILURES] : ["none"]));
  add(bar, choice("~judge", "judge", (row) => row[VERDICTS].length ? row[VERDICTS] : ["not asked"]));
  add(bar, choice("~modes", "modes", (row) => [row[STRICT] === row[PARITY] ? "agree" : row[STRICT] > row[PARITY] ? "strict is higher" : "parity is higher"]));
  const search = make("input");
  search.type = "search";
  search.placeholder = "words of question, gold or answer";
  search.addEventListener("input", changed);
  const orders = {
    "as in the benchmark": null,
    "lowest score first": (one, other) => one[STRICT] - other[STRICT],
    "highest score first": (one, other) => other[STRICT] - one[STRICT],
    "longest first": (one, other) => other[TOKENS] - one[TOKENS],
  };
  const order = make("select");
  for (const name of Object.keys(orders)) add(order, new Option(name, name));
  order.addEventListener("change", filter);
  add(bar, add(make("label", "", "order"), order));
  const searchLabel = add(make("label", "search", "search"), search);
  const reset = make("button", "move", "Clear");
  reset.type = "button";
  reset.addEventListener("click", () => {
    for (const one of choices) one.select.value = "";
    search.value = "";
    changed();
  });
  add(bar, searchLabel, reset);

  const tally = make("p", "note");
  tally.setAttribute("role", "status");
  const found = make("ol", "wrong-list");
  const more = make("button", "move", "Show more");
  more.type = "button";
  more.addEventListener("click", () => { limit += SHOWN_AT_ONCE; draw(); });

  function changed() {
    limit = SHOWN_AT_ONCE;
    const address = new URLSearchParams();
    for (const one of choices) if (one.select.value) address.set(one.name, one.select.value);
    history.replaceState(null, "", "#" + address.toString());
    filter();
  }
  function filter() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const set = choices.filter((one) => one.select.value);
    matching = rows.filter((row, index) =>
      set.every((one) => one.valuesOf(row).includes(one.select.value)) &&
      wanted.every((word) => words[index].includes(word)));
    if (orders[order.value]) matching.sort(orders[order.value]);
    draw();
  }
  function draw() {
    tally.textContent = matching.length + " of " + rows.length + " questions";
    found.replaceChildren();
    for (const row of matching.slice(0, limit)) {
      const link = make("a");
      link.href = list.stem + "--" + Number(row[PAGE]) + ".html#q" + Number(row[NUMBER]);
      add(link, make("span", "asked", row[QUERY] || row[ID]));
      const verdict = make("span", "verdict");
      add(verdict, make("span", "gold-line", row[GOLD]), make("span", "answer-line", row[FAILURES].length ? plain(row[FAILURES].join(", ")) : row[ANSWER] || "(no answer found)"));
      const small = make("small", "", "strict " + percent(row[STRICT]) + (row[PARITY] !== row[STRICT] ? ", parity " + percent(row[PARITY]) : "") +
        (row[TOKENS] ? " \u00b7 " + row[TOKENS].toLocaleString("en") + " tokens" : "") +
        list.facets.filter((facet) => Object.hasOwn(row[FACETS], facet)).map((facet) => " \u00b7 " + plain(facet) + " " + row[FACETS][facet]).join(""));
      const entry = make("li");
      entry.value = Number(row[NUMBER]);
      add(found, add(entry, add(link, verdict, small)));
    }
    more.hidden = matching.length <= limit;
  }

  function fromAddress() {
    const address = new URLSearchParams(location.hash.slice(1));
    for (const one of choices) {
      const value = address.get(one.name) || "";
      one.select.value = value;
      if (one.select.value !== value) one.select.value = "";
    }
    filter();
  }
  window.addEventListener("hashchange", fromAddress);
  app.replaceChildren(bar, tally, found, more);
  fromAddress();
})();
