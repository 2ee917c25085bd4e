"use strict";
// Pages work without this file; it keeps what is shown of runs up to date.
document.documentElement.classList.add("scripted");

for (const form of document.querySelectorAll("[data-submit-on-change]"))
  form.addEventListener("change", () => form.requestSubmit());

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

const marks = { completed: "✓", running: "●", failed: "✗", crashed: "✗" };
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
  stream = new EventSource(`/live?${query}`);
  stream.addEventListener("run", (message) => {
    const found = JSON.parse(message.data);
    showRun(found);
    if (found.ended) listing ? setTimeout(renew, 300) : settle(found.run);
  });
  stream.addEventListener("runs", renew);
}

// The list as the server shows it now, without a jump of the page.
let renewing = false;
async function renew() {
  if (renewing) return;
  renewing = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live-list]");
    const old = document.querySelector("[data-live-list]");
    if (answer.ok && fresh && old && !old.contains(document.activeElement)) old.replaceWith(fresh);
    else if (answer.ok && fresh && old) setTimeout(renew, 2000);
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
  location.reload();
}
watch();
addEventListener("pagehide", () => { if (stream) stream.close(); });
addEventListener("pageshow", (event) => { if (event.persisted) watch(); });

const work = document.querySelector('[data-work][data-running="yes"]');
async function follow() {
  const answer = await fetch(`/work/${work.dataset.work}.json`);
  if (!answer.ok) return;
  const found = await answer.json();
  if (!found.running || found.run_id) {
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
