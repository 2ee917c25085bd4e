"""How the chat looks: colours and sizes of the pages beside it, the fonts of the system, light and dark."""

from __future__ import annotations

TITLE = "Chat"
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "DejaVu Sans", "sans-serif")
MONOSPACE = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
STORAGE_KEY = "orchestrator-chat"

COLOURS = """
:root { --c-accent: #0b6e99; --c-on-accent: #fff; --c-paper: #fff; --c-ground: #f6f7f8; --c-ink: #1c2328;
  --c-soft: #57626b; --c-line: #dfe4e8; --c-good: #1e6b3a; --c-bad: #a4251c; --c-odd: #7a5200; --c-odd-ground: #fbf1dc;
  --c-busy-ground: #e1f0f7; --c-shade: #eef1f3; }
@media (prefers-color-scheme: dark) { :root { --c-accent: #5db8dc; --c-on-accent: #06222f; --c-paper: #1b2126;
  --c-ground: #13181c; --c-ink: #e4e9ec; --c-soft: #a3afb7; --c-line: #333d45; --c-good: #7fd29b; --c-bad: #ff9e94;
  --c-odd: #e8c06c; --c-odd-ground: #35290f; --c-busy-ground: #12303d; --c-shade: #252d33; } }
"""
CSS = """
body, gradio-app, .gradio-container { background: var(--c-ground) !important; color: var(--c-ink) !important; }
.gradio-container { max-width: 75rem !important; margin: 0 auto !important; font-size: 16px; }
.gradio-container .main, .gradio-container main { padding: .75rem clamp(.75rem, 3vw, 2rem) 2rem !important; }
footer { display: none !important; }
.top { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; margin-bottom: .5rem;
  padding: .1rem 0 .6rem; border-bottom: 1px solid var(--c-line); line-height: 1.5; }
.top .brand { font-weight: 650; color: var(--c-ink); text-decoration: none; letter-spacing: -.01em; }
.top nav { display: flex; flex-wrap: wrap; gap: .1rem .2rem; }
.top nav a { color: var(--c-soft); text-decoration: none; padding: .3rem .6rem; border-radius: .4rem; }
.top nav a:hover { color: var(--c-ink); background: var(--c-shade); }
.top nav a[aria-current] { color: var(--c-accent); background: var(--c-busy-ground); font-weight: 600; }
.gradio-container .html-container, .gradio-container .prose { padding: 0 !important; max-width: none; }
.gradio-container .block label span, .gradio-container .block label { color: var(--c-ink); }
.gradio-container .block { background: var(--c-paper); border-color: var(--c-line); }
.gradio-container .block:has(.html-container) { background: none; border: 0; overflow: visible; padding: 0 !important; }
#asking { flex-wrap: nowrap; } #asking button { min-width: 0 !important; } #stop { flex: 0 1 8rem; }
#name input, #name textarea { background: var(--c-paper) !important; color: var(--c-ink);
  border: 1px solid var(--c-soft); border-radius: .4rem; }
.gradio-container .block, .gradio-container .form { border-radius: .6rem; }
.chat-head h1 { font-size: 1.6rem; line-height: 1.25; letter-spacing: -.015em; margin: .25rem 0 .35rem; color:
  var(--c-ink); }
.chat-head p { margin: 0; color: var(--c-soft); }
#talk { background: var(--c-paper); border: 1px solid var(--c-line); }
#talk, #talk .wrapper, #talk .bubble-wrap { background: var(--c-paper) !important; }
#talk .icon-button-wrapper { display: none; }
#talk .message-content .md { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1rem; line-height: 1.5;
  color: var(--c-ink); }
#talk .user .message, #talk .message.user { background: var(--c-busy-ground); border-color: transparent; }
#talk .bot .message, #talk .message.bot { background: var(--c-shade); border-color: transparent; }
#talk .placeholder-content, #talk .placeholder { color: var(--c-soft); }
#question textarea { font-size: 1rem; color: var(--c-ink); background: var(--c-paper); border: 1px solid
  var(--c-soft);
  border-radius: .4rem; }
#question textarea::placeholder { color: var(--c-soft); }
.gradio-container button { font-weight: 600; border-radius: .45rem; }
.gradio-container button.primary { background: var(--c-accent) !important; color: var(--c-on-accent) !important;
  border: 1px solid var(--c-accent) !important; }
.gradio-container button.primary:hover { filter: brightness(1.08); }
.gradio-container button.secondary { background: var(--c-paper) !important; color: var(--c-accent) !important;
  border: 1px solid var(--c-line) !important; }
.gradio-container button.secondary:hover { border-color: var(--c-accent) !important; }
.gradio-container button:disabled, .gradio-container button.primary:disabled { background: var(--c-shade) !important;
  color: var(--c-soft) !important; border-color: var(--c-line) !important; opacity: 1; filter: none; cursor: default; }
.gradio-container :focus-visible { outline: 3px solid var(--c-accent) !important; outline-offset: 2px; }
#examples { gap: .5rem; flex-wrap: wrap; }
#examples button { flex: 0 1 auto; width: auto; min-width: 0 !important; font-weight: 500; text-align: left;
  white-space: normal; }
.sessions { display: flex; flex-wrap: wrap; gap: .35rem 1.25rem; font-size: .9rem; }
.sessions a, .proposal a, .outcome a { color: var(--c-accent); text-underline-offset: .15em; }
.sessions details { color: var(--c-soft); } .sessions ul { margin: .35rem 0 0; padding-left: 1.2rem; }
.proposal { background: var(--c-paper); border: 1px solid var(--c-line); border-radius: .6rem; padding: .9rem 1.1rem;
  color: var(--c-ink); }
.proposal h2 { font-size: 1.1rem; margin: 0 0 .5rem; color: var(--c-ink); overflow-wrap: anywhere; }
.proposal h2 em { font-style: normal; color: var(--c-accent); }
.proposal h3 { font-size: .95rem; margin: .9rem 0 .25rem; color: inherit; }
.proposal ul { margin: 0; padding-left: 1.2rem; } .proposal li { overflow-wrap: anywhere; }
.proposal .scroll { overflow-x: auto; }
.proposal table, .proposal tr { border: 0 !important; }
.proposal table { border-collapse: collapse; margin: 0; width: 100%; font-size: .9rem; }
.proposal th, .proposal td { text-align: left; padding: .4rem .7rem .4rem 0; border: 0; border-bottom: 1px solid
  var(--c-line);
  vertical-align: baseline; font-variant-numeric: tabular-nums; color: var(--c-ink); background: none; }
@media (max-width: 40rem) {
  .proposal thead { position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden; }
  .proposal tbody tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--c-line) !important; }
  .proposal tbody th, .proposal tbody td { display: inline; padding: 0; border: 0; overflow-wrap: anywhere; }
  .proposal tbody th, .proposal .words { display: block; } .proposal .after::before { content: " → "; } }
.proposal thead th { color: var(--c-soft); font-weight: 600; font-size: .82rem; }
.proposal tbody th { font-weight: 500; } .proposal code, .proposal pre { font-size: .88em; background: none;
  padding: 0;
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; color: inherit; }
.proposal .before { color: var(--c-soft); } .proposal .after { font-weight: 650; } .proposal .words { color:
  var(--c-soft); }
.proposal .questions, .proposal .misunderstood { background: var(--c-odd-ground); color: var(--c-odd);
  border-radius: .4rem;
  padding: .1rem .8rem .6rem; margin-top: .8rem; }
.proposal .errors { color: var(--c-bad); }
.proposal .yaml { margin-top: .9rem; } .proposal .yaml summary { cursor: pointer; color: var(--c-accent);
  font-weight: 600; }
.proposal .yaml pre { margin: .5rem 0 0; padding: .7rem .9rem; background: var(--c-shade); border-radius: .4rem;
  overflow-x: auto; white-space: pre; }
.quiet { color: var(--c-soft); }
.outcome p { margin: 0; } .outcome .good { color: var(--c-good); } .outcome .bad { color: var(--c-bad); }
.outcome .bad, .outcome .good { overflow-wrap: anywhere; }
#actions { gap: .5rem; flex-wrap: wrap; }
#actions button { flex: 1 1 9rem; font-size: .95rem; padding-left: .5rem; padding-right: .5rem; }
@media (max-width: 48rem) { .chat-head h1 { font-size: 1.35rem; } #columns { flex-direction: column; }
  #columns > .column { width: 100%; min-width: 0 !important; flex: 1 1 auto; } }
"""

HEAD = f"<style>{COLOURS}</style>"  # Gradio rewrites what is handed to it as CSS
ADDRESS_JS = """(session) => {
  if (session && new URLSearchParams(location.search).get("session") !== session)
    history.replaceState(null, "", "?session=" + encodeURIComponent(session));
  return [];
}"""
OPENED_JS = """async () => {
  const end = Date.now() + 30000;
  while (!document.querySelector("nav.sessions") && Date.now() < end) await new Promise((done) => setTimeout(done, 20));
  return [];
}"""  # what fills the page when it is opened comes first: coming later, it would wipe what was said
DOWNLOAD_JS = """(name, text) => {
  if (!text) return [];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: "application/yaml"}));
  link.download = name;
  document.body.append(link); link.click(); link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  return [];
}"""
