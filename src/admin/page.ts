import { createHash } from 'node:crypto';

const style = `
:root { color-scheme: light dark; --line: #8884; --ok: #1a7f37; --warn: #9a6700; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ok: #3fb950; --warn: #d29922; --bad: #f85149; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
input, button { font: inherit; padding: .35rem .6rem; } input { width: 30rem; max-width: 100%; }
.ok { color: var(--ok); } .warning { color: var(--warn); } .error { color: var(--bad); }
li { margin: .25rem 0; } small { opacity: .75; }
`;

// The token lives in a variable of this page and nowhere else; text from the daemon only ever becomes text.
const script = `
'use strict';
const byId = (id) => document.getElementById(id);
let token = '';
let timer;

function duration(seconds) {
  if (typeof seconds !== 'number') return '';
  if (seconds < 60) return Math.round(seconds) + 's';
  const steps = [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'm'], [60, 'm', 1, 's']];
  const [big, bigUnit, small, smallUnit] = steps.find(([size]) => seconds >= size);
  const rest = Math.floor((seconds % big) / small);
  return Math.floor(seconds / big) + bigUnit + (rest === 0 ? '' : ' ' + rest + smallUnit);
}

function ago(now, time) {
  return typeof time === 'number' ? duration(Math.max(0, (now - time) / 1000)) + ' ago' : 'never';
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function fill(id, rows) {
  byId(id).replaceChildren(...rows.map((cells) => {
    const row = document.createElement('tr');
    row.replaceChildren(...cells.map((cell) => (typeof cell === 'number' ? element('td', cell.toLocaleString('en'), 'number') : Array.isArray(cell) ? element('td', cell[0], cell[1]) : element('td', cell))));
    return row;
  }));
}

const mood = { hold: 'error', failing: 'error', waiting_for_room: 'error', retrying: 'warning', idle: 'ok', polling: 'ok', delivering: 'ok' };

function draw(status) {
  const now = status.at;
  byId('summary').textContent = 'penstock ' + status.version + (status.uptime_seconds === undefined ? '' : ', up ' + duration(status.uptime_seconds)) + (status.config === undefined ? '' : ', configuration loaded ' + ago(now, status.config.loaded_at) + (status.config.differs_from_file ? ' (its files say something else now)' : '')) + ', ' + new Date(now).toLocaleTimeString();
  fill('sources', status.sources.map((source) => [
    source.name, source.connector, [source.state, mood[source.state]], duration(source.cursor_age_seconds), ago(now, source.last_success), ago(now, source.last_event), source.records.new,
  ]));
  fill('sinks', status.sinks.map((sink) => [
    sink.name, sink.type, [sink.state, mood[sink.state]], duration(sink.lag_seconds), ago(now, sink.last_acknowledged), sink.pending, sink.acknowledged + sink.unconfirmed, sink.dead_letters,
  ]));
  const problems = status.problems.map((problem) => {
    const item = element('li', problem.where + ': ' + problem.what, problem.level);
    if (problem.fix) item.append(document.createElement('br'), element('small', problem.fix));
    return item;
  });
  byId('problems').replaceChildren(...(problems.length === 0 ? [element('li', 'none', 'ok')] : problems));
}

async function refresh() {
  clearTimeout(timer);
  try {
    const answer = await fetch('/status', { headers: { authorization: 'Bearer ' + token }, cache: 'no-store' });
    if (answer.status === 401) return ask('That is not the token of this daemon; each start makes a new one.');
    if (!answer.ok) throw new Error('the daemon answered ' + answer.status);
    draw(await answer.json());
    byId('message').textContent = '';
    byId('login').hidden = true;
    byId('status').hidden = false;
  } catch (error) {
    byId('message').textContent = 'No answer from the daemon: ' + error.message;
  }
  timer = setTimeout(refresh, 5000);
}

function ask(message) {
  token = '';
  byId('message').textContent = message;
  byId('login').hidden = false;
  byId('status').hidden = true;
}

byId('login').addEventListener('submit', (event) => {
  event.preventDefault();
  token = byId('token').value.trim();
  byId('token').value = '';
  refresh();
});
`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** What the page may do: run its own script and style and ask its own server, nothing else. */
export const pagePolicy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The status page: one file without any data; it asks for the token and keeps it in memory. */
export const pageHtml = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Penstock</title>
<style>${style}</style>
</head>
<body>
<h1>Penstock</h1>
<p id="message" class="warning" role="status"></p>
<form id="login">
<p><label for="token">Token, from <code>admin.token</code> in the daemon's data_dir:</label></p>
<p><input id="token" type="password" autocomplete="off" spellcheck="false" required> <button>Show status</button></p>
</form>
<main id="status" hidden>
<p id="summary"></p>
<h2>Problems</h2>
<ul id="problems"></ul>
<h2>Sources</h2>
<table><thead><tr><th>name</th><th>connector</th><th>state</th><th>cursor age</th><th>last success</th><th>last event</th><th class="number">new records</th></tr></thead><tbody id="sources"></tbody></table>
<h2>Sinks</h2>
<table><thead><tr><th>name</th><th>type</th><th>state</th><th>lag</th><th>last acknowledged</th><th class="number">pending</th><th class="number">delivered</th><th class="number">dead letters</th></tr></thead><tbody id="sinks"></tbody></table>
</main>
<script>${script}</script>
</body>
</html>
`;
