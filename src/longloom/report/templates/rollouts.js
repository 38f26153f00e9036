"use strict";
// Texts of documents and models reach the page through textContent alone, never as markup.
(function () {
  const pages = JSON.parse(document.getElementById("rollouts-json").textContent);
  const taskNames = JSON.parse(document.getElementById("task-names").textContent);
  const app = document.getElementById("rollouts-app");
  const note = document.getElementById("rollouts-note");
  const groups = pages.groups;
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

  function meanReward(group) {
    const rewards = group.rollouts.map((rollout) => rollout.reward);
    return rewards.reduce((sum, reward) => sum + reward, 0) / Math.max(1, rewards.length);
  }

  function shade(node, reward) {
    const share = Math.min(1, Math.max(0, reward));
    node.style.setProperty("--share", Math.round(100 * share) + "%");
    if (share > 0.55) node.classList.add("deep");
  }

  function taskName(task) {
    return Object.prototype.hasOwnProperty.call(taskNames, task) ? taskNames[task] : task;
  }

  // One row per task, one column per step: early on the left, late on the right.
  function picker() {
    const columns = [];
    for (const group of groups) {
      const found = columns.some((column) => column.stage === group.stage && column.step === group.step);
      if (!found) columns.push({ stage: group.stage, step: group.step });
    }
    columns.sort((one, other) => one.step - other.step);
    const known = Object.keys(taskNames);
    const tasks = [...new Set([...known, ...groups.map((group) => group.task)])]
      .filter((task) => groups.some((group) => group.task === task));
    const table = make("table", "picker");
    const head = table.createTHead();
    const stageRow = head.insertRow();
    const stepRow = head.insertRow();
    add(stageRow, make("th"));
    add(stepRow, make("th", "", "step"));
    columns.forEach((column, index) => {
      const starts = index === 0 || columns[index - 1].stage !== column.stage;
      if (starts) {
        const cell = make("th", "stage-start", column.stage);
        cell.colSpan = columns.filter((other) => other.stage === column.stage).length;
        add(stageRow, cell);
      }
      column.className = starts ? "stage-start" : "";
      add(stepRow, make("th", column.className, String(column.step)));
    });
    const body = table.createTBody();
    for (const task of tasks) {
      const row = body.insertRow();
      add(row, make("th", "", taskName(task)));
      for (const column of columns) {
        const cell = row.insertCell();
        cell.className = column.className;
        groups.forEach((group, index) => {
          if (group.task !== task || group.step !== column.step || group.stage !== column.stage) return;
          const button = make("button", "", meanReward(group).toFixed(2));
          button.type = "button";
          button.dataset.index = String(index);
          button.setAttribute("aria-label", taskName(task) + ", " + group.stage + ", step " + group.step);
          button.setAttribute("aria-pressed", "false");
          shade(button, meanReward(group));
          button.addEventListener("click", () => show(index));
          add(cell, button);
        });
      }
    }
    return add(make("div", "scroll"), table);
  }

  function documentCard(group) {
    const card = make("div", "card");
    add(card, make("h4", "", "Question"), make("p", "question", group.question));
    add(card, make("h4", "", "Expected answer"), make("p", "gold", group.answer));
    add(card, make("h4", "", "Documents, evidence marked"));
    const text = make("div", "document");
    for (const [kind, piece] of group.document) {
      if (kind === "evidence") add(text, make("mark", "", piece));
      else if (kind === "cut") add(text, make("span", "left-out", "\n[... " + piece + " characters left out ...]\n"));
      else add(text, document.createTextNode(piece));
    }
    text.tabIndex = 0;
    add(card, text);
    if (group.sources.length) add(card, make("h4", "", "Sources"), make("p", "sources", group.sources.join(", ")));
    add(card, fold("The question as a program", group.program));
    return card;
  }

  function fold(title, text) {
    if (!text) return null;
    const details = make("details", "fold");
    return add(details, make("summary", "", title), make("div", "code thinking", text));
  }

  function attemptCard(rollout, number, group) {
    const hasTurns = rollout.turns.length > 1 || rollout.turns.some((turn) => turn.is_update);
    const card = make(hasTurns ? "details" : "div", "attempt");
    shade(card, rollout.reward);
    card.classList.remove("deep");
    const top = make(hasTurns ? "summary" : "div", "top");
    add(top, make("span", "answer", rollout.answer || (rollout.error ? "failed" : "no answer")));
    add(top, make("span", "reward", "#" + number + "  reward " + rollout.reward.toFixed(2)));
    add(card, top);
    if (rollout.error) add(card, make("p", "flag", rollout.error));
    rollout.turns.forEach((turn, index) => add(card, turnPart(turn, index, group, hasTurns)));
    return card;
  }

  function turnPart(turn, index, group, isTitled) {
    const part = make("div", isTitled ? "turn" : "");
    const title = turn.is_update ? "Section " + (index + 1) : "Answer from the memory";
    if (isTitled) add(part, make("h5", "", title));
    if (turn.is_update && group.sections[index] !== undefined) add(part, fold("What it read", group.sections[index]));
    if (turn.thinking) add(part, make("div", "code thinking", turn.thinking));
    if (turn.is_update) {
      const notes = make("dl", "notes");
      add(notes, make("dt", "", "memory"), make("dd", "", turn.memory));
      add(notes, make("dt", "", "plan"), make("dd", "", turn.plan));
      add(part, notes);
      if (!turn.is_usable) add(part, make("span", "flag", "no usable memory was written; the old one stays"));
    } else if (turn.text) add(part, make("div", "code said", turn.text));
    if (turn.finish === "length") add(part, make("span", "flag", "cut at the limit"));
    else if (!turn.has_thought) add(part, make("span", "flag", "the thinking was never closed"));
    return part;
  }

  function show(index) {
    chosen = index;
    const group = groups[index];
    for (const button of app.querySelectorAll(".picker button")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.index) === index));
    }
    const old = app.querySelector(".shown");
    const shown = make("div", "shown");
    const place = make("div", "place");
    const before = make("button", "move", "\u2190 earlier");
    const after = make("button", "move", "later \u2192");
    before.type = after.type = "button";
    before.addEventListener("click", () => move(-1));
    after.addEventListener("click", () => move(1));
    const where = taskName(group.task) + ", " + group.stage + ", step " + group.step +
      ": mean reward " + meanReward(group).toFixed(2) + " of " + group.rollouts.length + " rollouts";
    add(place, before, make("span", "", where), after);
    const attempts = make("div", "attempts");
    group.rollouts.forEach((rollout, position) => add(attempts, attemptCard(rollout, position + 1, group)));
    const first = attempts.querySelector("details.attempt");
    if (first) first.open = true;
    else attempts.classList.add("short");
    add(shown, place, add(make("div", "reader"), documentCard(group), attempts));
    if (old) old.replaceWith(shown);
    else add(app, shown);
    const text = shown.querySelector(".document");
    const mark = text.querySelector("mark");
    if (mark) text.scrollTop = Math.max(0, mark.offsetTop - text.offsetTop - 60);
  }

  // Steps through the same task, so that early and late answers can be compared.
  function move(direction) {
    const task = groups[chosen].task;
    for (let index = chosen + direction; index >= 0 && index < groups.length; index += direction) {
      if (groups[index].task === task) return show(index);
    }
  }

  if (groups.length === 0) {
    note.className = "missing";
    note.textContent = "No rollouts have been logged yet.";
    return;
  }
  note.textContent = groups.length + " of " + pages.num_logged + " logged groups, from early (left) to late (right). " +
    "A field is one question with all its attempts, its shade and number their mean reward.";
  add(app, picker());
  show(0);
})();
