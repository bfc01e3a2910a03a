/** Problems, their fixes first; the daemon has grouped them. */
export const problems = String.raw`
// On a phone or a narrow window a row is a card.
const firstShown = innerWidth > 900 ? 100 : 20;
let most = firstShown;
let lastReport;
let lastAt;
let knownProblems;

const moods = { hold: 'error', failing: 'error', waiting_for_room: 'error', retrying: 'warning', stopped: 'warning', disabled: 'warning', starting: 'quiet', idle: 'ok', polling: 'ok', delivering: 'ok' };
const states = { waiting_for_room: 'waits for room' };
const stateCell = (state, small = '') => ({ text: states[state] ?? state, mood: moods[state] ?? '', kind: 'state', small });
const path = (kind, name, verb) => '/' + kind + '/' + encodeURIComponent(name) + '/' + verb;

function helpFor({ kind, names, what, where }) {
  if (kind === undefined) return [];
  const paths = (verb) => names.slice(0, 200).map((name) => path(kind + 's', name, verb));
  const about = names.length < 2 ? where : names.length + ' ' + kind + 's';
  if (/dead letter/.test(what) && kind === 'sink') return [{ label: 'Send dead letters again', about, paths: paths('retry') }];
  if (kind === 'source') return [{ label: 'Try again now', about, paths: paths('poll') }];
  return /on hold/.test(what) ? [{ label: 'Try again now', about, paths: paths('release') }] : [];
}

function makeProblem() {
  const item = make('li');
  const where = make('p', 'where');
  where.append(make('b'), make('span'));
  item.append(where, make('p', 'fix'), make('p', 'what'), make('div', 'buttons'));
  return item;
}

// A command stays as it is typed.
const asSentence = (text) => (text.startsWith('penstock ') ? text : text.charAt(0).toUpperCase() + text.slice(1));

function drawProblem(item, problem) {
  const [where, fix, what, buttons] = item.children;
  setClass(item, problem.level);
  setText(where.firstElementChild, problem.level);
  setText(where.lastElementChild, problem.where);
  setText(fix, asSentence(problem.fix ?? ''));
  setText(what, problem.fix === undefined ? asSentence(problem.what) : problem.what);
  setClass(what, problem.fix === undefined ? 'what alone' : 'what');
  buttonsIn(buttons, helpFor(problem));
}

function announce(all) {
  const fresh = knownProblems === undefined ? [] : all.filter(({ key }) => !knownProblems.has(key));
  const gone = knownProblems === undefined ? 0 : [...knownProblems].filter((key) => !all.some((one) => one.key === key)).length;
  const said = fresh.slice(0, 3).map((problem) => 'New ' + problem.level + ', ' + problem.where + ': ' + problem.what + '. ' + (problem.fix ?? ''));
  if (fresh.length > 3) said.push('and ' + (fresh.length - 3) + ' more');
  if (gone > 0) said.push(plural(gone, 'problem is', 'problems are') + ' over.');
  if (knownProblems === undefined) said.push(byId('headline').textContent);
  knownProblems = new Set(all.map(({ key }) => key));
  if (said.length > 0) setText(byId('news'), said.join(' '));
}

function drawProblems({ status: { problem_groups: all, sources, sinks } }) {
  const errors = all.filter(({ level }) => level === 'error').length;
  const warnings = all.length - errors;
  const isEmpty = sources.length === 0 || sinks.length === 0;
  const well = isEmpty ? 'Nothing to do yet' : 'All is well';
  const text = errors > 0 ? plural(errors, 'problem', 'problems') + ' to solve' : warnings > 0 ? 'Running, ' + plural(warnings, 'warning', 'warnings') : well;
  setText(byId('headline'), text);
  setClass(byId('headline'), errors > 0 ? 'error' : warnings > 0 ? 'warning' : 'ok');
  document.title = text + ' - Penstock';
  byId('problems-section').hidden = all.length === 0;
  keep(byId('problems'), all, ({ key }) => key, makeProblem, drawProblem);
  announce(all);
}
`;
