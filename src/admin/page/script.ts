import { drawing } from './drawing.ts';

// Text of the daemon, and so of vendors and receivers, only ever becomes text. The token is kept for as long as the tab is open.
const asking = String.raw`
const tokenName = 'penstock.token';
let token = '';
let timer;
let turn = 0;

function remember(value) {
  token = value;
  try {
    if (value === '') sessionStorage.removeItem(tokenName);
    else sessionStorage.setItem(tokenName, value);
  } catch {
    // A browser that keeps nothing asks again after a reload.
  }
}

function recall() {
  try {
    return sessionStorage.getItem(tokenName) ?? '';
  } catch {
    return '';
  }
}

function request(path, method) {
  return fetch(path, { method, headers: { authorization: 'Bearer ' + token }, cache: 'no-store', signal: AbortSignal.timeout(30000) });
}

function ask(message) {
  remember('');
  drawMessage(message);
  byId('login').hidden = false;
  byId('status').hidden = true;
  byId('forget').hidden = true;
  setText(byId('headline'), 'Token?');
  byId('headline').className = '';
  byId('token').focus();
}

function drawMessage(text) {
  setText(byId('message'), text);
}

// Longer where the answer takes long: thousands of sources must not keep daemon and telephone busy.
const pauseAfter = (tookMs) => Math.max(5000, 20 * tookMs);

async function refresh() {
  clearTimeout(timer);
  if (token === '') return;
  const mine = (turn += 1);
  const began = performance.now();
  try {
    const answer = await request('/overview', 'GET');
    const report = answer.ok ? await answer.json() : undefined;
    if (mine !== turn) return;
    if (answer.status === 401) return ask('That is not the token of this daemon; each start makes a new one.');
    if (report === undefined) throw new Error('it answered ' + answer.status);
    byId('login').hidden = true;
    byId('status').hidden = false;
    byId('forget').hidden = false;
    byId('status').classList.remove('stale');
    drawMessage('');
    draw(report);
  } catch (error) {
    if (mine !== turn) return;
    byId('status').classList.add('stale');
    drawMessage('No answer from the daemon (' + error.message + '). What you see is from ' + (lastAt === undefined ? 'before' : clock(lastAt)) + '. See whether it runs: penstock status');
    setText(byId('headline'), 'No answer');
    byId('headline').className = 'error';
    document.title = 'No answer - Penstock';
  }
  timer = setTimeout(refresh, document.hidden ? 60000 : pauseAfter(performance.now() - began));
}

async function act(button, paths) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  try {
    for (const path of paths) {
      const answer = await request(path, 'POST');
      const body = await answer.json();
      say(answer.ok ? body.begun : 'Not done: ' + body.error);
      if (!answer.ok) break;
    }
    if (paths.length > 1) say('Asked for ' + paths.length + ' of them');
  } catch (error) {
    say('Not done: ' + error.message);
  }
  button.removeAttribute('aria-disabled');
  refresh();
}

let saidTimer;
function say(text) {
  clearTimeout(saidTimer);
  byId('said').textContent = text;
  saidTimer = setTimeout(() => (byId('said').textContent = ''), 8000);
}

byId('login').addEventListener('submit', (event) => {
  event.preventDefault();
  remember(byId('token').value.trim());
  byId('token').value = '';
  refresh();
});
byId('forget').addEventListener('click', () => {
  turn += 1;
  clearTimeout(timer);
  ask('');
});
byId('filter').addEventListener('input', () => {
  most = firstShown;
  if (lastReport !== undefined) drawSources(lastReport.status);
});
byId('more').addEventListener('click', () => {
  most += firstShown;
  drawSources(lastReport.status);
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh();
});

token = recall();
if (token === '') ask('');
else refresh();
`;

/** All that the page runs. */
export const script = `'use strict';\n${drawing}\n${asking}`;
