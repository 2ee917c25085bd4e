"use strict";
// Pages work without this file; it keeps what is shown of runs up to date.
document.documentElement.classList.add("scripted");

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-submit-on-change]");
  if (form) form.requestSubmit();
});

// A second click on a button that starts something would start it twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "post" && !event.defaultPrevented)
    setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)));
});
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form button").forEach((button) => (button.disabled = false));
});

const reload = document.querySelector("[data-reload]");
if (reload) setTimeout(() => location.reload(), 1000 * Number(reload.dataset.reload));

const marks = { completed: "✓", done: "✓", running: "●", failed: "✗", crashed: "✗" };
const each = (attribute, id, change) => {
  for (const element of document.querySelectorAll(`[${attribute}]`))
    if (element.getAttribute(attribute) === id) change(element);
};

function showState(element, word) {
  const state = document.createElement("span");
  state.className = `state ${word.replaceAll(" ", "-")}`;
  const mark = document.createElement("span");
  mark.setAttribute("aria-hidden", "true");
  mark.textContent = marks[word] || "–";
  state.append(mark, ` ${word}`);
  element.replaceChildren(state);
}

function showRun(found) {
  each("data-live", found.run, (table) => { // or the page of a run that has no table yet
    const cells = new Map([...table.querySelectorAll("[data-cell]")].map((cell) => [cell.dataset.cell, cell]));
    for (const [year, stage, status, words] of found.cells) {
      const cell = cells.get(`${year}/${stage}`);
      if (!cell) continue;
      cell.className = `cell ${status.replaceAll(" ", "-")}`;
      cell.textContent = words;
    }
  });
  each("data-status-of", found.run, (element) => {
    if (element.textContent.trim().split(" ").at(-1) !== found.status) showState(element, found.status);
  });
  each("data-now-of", found.run, (element) => { element.textContent = found.now; });
  each("data-done-of", found.run, (element) => { element.textContent = `${found.done} of ${found.total}`; });
  each("data-lines-of", found.run, (list) => {
    const below = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    if (found.whole) list.replaceChildren();
    for (const [at, text, trouble] of found.lines) {
      const line = document.createElement("li");
      const time = document.createElement("time");
      time.textContent = new Date(at).toTimeString().slice(0, 8);
      if (trouble) line.className = "trouble";
      line.append(time, ` ${text}`);
      list.append(line);
    }
    while (list.children.length > 400) list.firstElementChild.remove();
    if (below) list.scrollTop = list.scrollHeight;
  });
}

const chosen = document.querySelector(".lineage .chosen");
if (chosen) {
  const box = chosen.closest(".scroll");
  const far = chosen.getBoundingClientRect().left - box.getBoundingClientRect().left;
  box.scrollLeft = Math.max(0, far - box.clientWidth / 2 + 100);
}

let stream = null;
function watch() {
  if (stream) stream.close();
  const ids = [...new Set([...document.querySelectorAll("[data-live]")].map((part) => part.dataset.live))];
  const listing = document.querySelector("[data-live-list]");
  if (!ids.length && !listing) return;
  const query = new URLSearchParams(ids.map((id) => ["run", id]));
  if (listing) query.append("list", "1");
  stream = new EventSource(listing?.dataset.liveList === "sweeps" ? "/live-sweeps" : `/live?${query}`);
  stream.addEventListener("sweeps", renew);
  stream.addEventListener("run", (message) => {
    const found = JSON.parse(message.data);
    showRun(found);
    if (found.ended) listing ? setTimeout(renew, 300) : settle(found.run);
  });
  stream.addEventListener("runs", renew);
}

const swept = document.querySelector("[data-live-sweep]");
const count = (number) => number.toLocaleString("en");
function showSweep(found) {
  const counts = found.counts || {};
  const sum = (name, text) => each("data-sum", name, (element) => { if (element.textContent !== text) element.textContent = text; });
  const done = counts.done || 0;
  sum("done", `${count(done)} of ${count(found.total)}`);
  sum("failed", count(counts.failed || 0));
  sum("took", found.took);
  sum("left", found.left || "–");
  sum("workers", found.workers || "–");
  const tenth = Math.floor((10 * done) / Math.max(1, found.total));
  if (tenth) sum("said", `${tenth * 10} percent of the members are done`);
  each("data-sum", "status", (element) => {
    if (element.textContent.trim().split(" ").at(-1) !== found.status) showState(element, found.status);
  });
  for (const element of document.querySelectorAll("[data-count]")) element.textContent = count(counts[element.dataset.count] || 0);
  const bar = document.querySelector("[data-progress]");
  let begin = 0;
  for (const part of bar.querySelectorAll("rect")) {
    const length = (1000 * (counts[part.getAttribute("class")] || 0)) / Math.max(1, found.total);
    part.setAttribute("x", begin);
    part.setAttribute("width", length);
    begin += length;
  }
  bar.setAttribute("aria-label", `Progress: ${count(done)} of ${count(found.total)} members are done`);
  document.querySelector("[data-now]").replaceChildren(...found.now.map(([, label, where, seconds]) => {
    const line = document.createElement("tr");
    line.append(...[label, where, seconds].map((text, place) => {
      const cell = document.createElement(place ? "td" : "th");
      if (!place) cell.scope = "row";
      if (place === 2) cell.className = "number";
      cell.textContent = text;
      return cell;
    }));
    return line;
  }));
  for (const [place, word, beside] of found.rows) {
    const row = document.querySelector(`[data-member="${place}"]`);
    if (!row) continue;
    showState(row.querySelector("[data-state]"), word);
    row.querySelector("[data-beside]").textContent = beside;
  }
}
function watchSweep() {
  const sums = new EventSource(`/live-sweeps?${new URLSearchParams({ name: swept.dataset.liveSweep })}`);
  sums.addEventListener("sweep", (message) => {
    const found = JSON.parse(message.data);
    if (found.total) showSweep(found);
    if (found.ended) { sums.close(); showAgain(); }
  });
  addEventListener("pagehide", () => sums.close());
}
if (swept) watchSweep();
addEventListener("pageshow", (event) => { if (event.persisted && swept) location.reload(); });

async function asServed() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  return [answer.ok, new DOMParser().parseFromString(await answer.text(), "text/html")];
}

// The whole page as the server shows it now. Not by location.reload(), which would call back somebody who has just
// followed a link; what is being typed, and where, stays.
async function showAgain() {
  let page;
  try { page = (await asServed())[1]; } catch { setTimeout(showAgain, 2000); return; }
  const [old, fresh] = [document.querySelector("main"), page.querySelector("main")];
  if (!fresh) return;
  const focus = document.activeElement;
  for (const field of old.querySelectorAll("textarea[name], input[name]:not([type=hidden])")) {
    const same = [...fresh.querySelectorAll(`[name="${CSS.escape(field.name)}"]`)].find((one) => one.value === field.defaultValue);
    if (same && (field === focus || field.value !== field.defaultValue)) same.replaceWith(field);
  }
  old.replaceWith(fresh);
  if (fresh.contains(focus)) focus.focus();
  document.title = page.title;
}

// The list as the server shows it now, without a jump of the page.
let renewing = false;
async function renew() {
  if (renewing) return;
  renewing = true;
  try {
    const [isThere, page] = await asServed();
    const fresh = page.querySelector("[data-live-list]");
    const old = document.querySelector("[data-live-list]");
    if (isThere && fresh && old && !old.contains(document.activeElement)) old.replaceWith(fresh);
    else if (isThere && fresh && old) setTimeout(renew, 2000);
    watch();
  } catch { setTimeout(renew, 2000); } finally { renewing = false; }
}

// The history is written a moment after the last event.
async function settle(run) {
  stream.close();
  for (let tries = 0; tries < 30; tries++) {
    const answer = await fetch(`/runs/${run}.json`);
    if (answer.ok && (await answer.json()).status !== "running") break;
    await new Promise((done) => setTimeout(done, 100));
  }
  await showAgain();
  watch();
}
watch();
addEventListener("pagehide", () => { if (stream) stream.close(); });
addEventListener("pageshow", (event) => { if (event.persisted) watch(); });

const work = document.querySelector('[data-work][data-running="yes"]');
async function follow() {
  const answer = await fetch(`/work/${work.dataset.work}.json`);
  if (!answer.ok) return;
  const found = await answer.json();
  if (!found.running || found.run_id || found.sweep) {
    const here = new URL(location.href);
    if (here.pathname.startsWith("/work/") || found.error) location.reload();
    else location.replace(here);
    return;
  }
  work.replaceChildren(...found.lines.map((text) => {
    const line = document.createElement("li");
    line.textContent = text;
    return line;
  }));
  work.scrollTop = work.scrollHeight;
  setTimeout(follow, 200);
}
if (work) follow();
