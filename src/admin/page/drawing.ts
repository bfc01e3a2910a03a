import { elements } from './elements.ts';
import { problems } from './problems.ts';

const sections = String.raw`
/** Why nothing is stored in a database that has room. */
const serverSays = ({ journal }) => (journal?.server?.refusal !== undefined ? asSentence(journal.server.refusal.what) : journal?.server?.answers === false ? 'The database does not answer' : '');

function drawJournal({ room, status }) {
  const silence = serverSays(status);
  const share = room.max_bytes === 0 ? 0 : room.used_bytes / room.max_bytes;
  const left = room.full_in_seconds;
  const used = size(room.used_bytes) + ' of ' + size(room.max_bytes);
  const missing = room.max_bytes - room.used_bytes;
  const isTight = typeof room.disk_free_bytes === 'number' && room.disk_free_bytes < missing;
  const isFull = room.disk_free_bytes < Math.min(16 * 2 ** 20, room.disk_size_bytes / 50) || (!room.has_room && isTight && share < 0.8);
  const mood = silence !== '' || !room.has_room || isFull || left < 3600 ? 'error' : left < 86400 || share > 0.9 ? 'warning' : 'ok';
  const pace = silence !== '' ? silence + ': collection is paused' : isFull ? 'The disk is full' + (room.has_room ? '' : ': collection is paused') : !room.has_room ? 'No room: collection is paused' : left === undefined ? 'Not filling up' : 'Full in about ' + duration(left) + ' at the pace of the last half hour';
  setBar(byId('journal-bar'), share, mood === 'ok' ? '' : mood, 'Journal', used + '. ' + pace);
  setText(byId('journal-text'), pace);
  setClass(byId('journal-text'), mood);
  const oldest = typeof room.oldest_received === 'number' ? ', the oldest ' + ago(lastAt, room.oldest_received) : '';
  setText(byId('journal-more'), used + ' used, ' + plural(room.records, 'record', 'records') + oldest + '. What every sink has taken gives way when room is needed.');
  setText(byId('disk-text'), typeof room.disk_free_bytes !== 'number' ? '' : 'Disk: ' + size(room.disk_free_bytes) + ' of ' + size(room.disk_size_bytes) + ' free' + (isTight ? ', less than the journal may still take' : ''));
  setClass(byId('disk-text'), isTight ? 'warning' : 'quiet');
}

const hourMs = 3600000;
const svg = (name, facts) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(facts)) made.setAttribute(key, String(value));
  return made;
};

function drawLane(lane, { name, values, top, times }) {
  const [label, picture] = lane.children;
  const total = values.reduce((sum, value) => sum + value, 0);
  setText(label.firstElementChild, name);
  setText(label.lastElementChild, count(total) + ' in 24 h');
  const wanted = values.join(' ') + ' ' + top + ' ' + times[0];
  if (picture.drawn === wanted) return;
  picture.drawn = wanted;
  picture.replaceChildren(...values.map((value, index) => {
    const height = value === 0 ? 0 : Math.max(1, (value / top) * 50);
    const bar = svg('rect', { x: index * 10 + 1, width: 8, y: 50 - height, height });
    bar.append(svg('title', {}));
    bar.firstElementChild.textContent = clock(times[index], false) + ': ' + count(value);
    return bar;
  }));
}

function makeLane({ name }) {
  const lane = make('div', 'lane');
  const label = make('p');
  label.append(make('span'), make('small'));
  lane.append(label, svg('svg', { viewBox: '0 0 250 50', preserveAspectRatio: 'none', 'aria-hidden': 'true' }));
  if (name !== 'collected') return lane;
  return lane;
}

/** The last day: what was collected, and what each sink took, on one scale. */
function drawDay({ hours, status: { sinks, at } }) {
  const last = Math.floor(at / hourMs) * hourMs;
  const times = Array.from({ length: 25 }, (_, index) => last - (24 - index) * hourMs);
  const byTime = new Map(hours.map((hour) => [hour.from, hour]));
  const valuesOf = (read) => times.map((time) => read(byTime.get(time)) ?? 0);
  const names = sinks.map(({ name }) => name).slice(0, 12);
  const lanes = [['collected', (hour) => hour?.collected], ...names.map((name) => ['taken by ' + name, (hour) => hour?.delivered[name]])].map(([name, read]) => ({ name, values: valuesOf(read) }));
  const top = Math.max(1, ...lanes.flatMap(({ values }) => values));
  keep(byId('lanes'), lanes.map((lane) => ({ ...lane, top, times })), ({ name }) => name, makeLane, drawLane);
  setText(byId('axis-from'), day(times[0]) + ' ' + clock(times[0], false));
  setText(byId('axis-to'), 'now');
  setText(byId('axis-middle'), clock(times[12], false));
  setText(byId('day-text'), lanes.some(({ values }) => values.some((value) => value > 0)) ? 'Highest bar: ' + plural(top, 'event', 'events') + ' an hour.' : 'Nothing yet.');
  const shown = times.map((time, index) => ({ key: String(time), cells: [day(time) + ' ' + clock(time, false), number(lanes[0].values[index]), number(lanes.slice(1).reduce((sum, { values }) => sum + values[index], 0))] }));
  if (byId('day-numbers').open) drawTable('hours', shown.toReversed());
}

function drawSinks({ sinks, at }) {
  drawTable('sinks', sinks.slice(0, 200).map((sink) => ({
    key: sink.name,
    cells: [
      { text: sink.name, small: sink.type },
      stateCell(sink.state),
      { text: duration(sink.lag_seconds), mood: sink.lag_seconds > 900 ? 'warning' : '', small: caughtUp(sink) },
      number(sink.pending),
      { text: ago(at, sink.last_acknowledged), small: count(sink.acknowledged + sink.unconfirmed) + ' since the start' },
      { text: count(sink.dead_letters), kind: 'number', mood: sink.dead_letters > 0 ? 'warning' : '' },
      { buttons: [
        ...(sink.hold === undefined ? [] : [{ label: 'Try again now', about: 'sink ' + sink.name, paths: [path('sinks', sink.name, 'release')] }]),
        ...(sink.dead_letters > 0 ? [{ label: 'Send dead letters again', about: 'sink ' + sink.name, paths: [path('sinks', sink.name, 'retry')] }] : []),
      ] },
    ],
  })));
  byId('no-sinks').hidden = sinks.length > 0;
}

const troubles = ['hold', 'waiting_for_room', 'failing'];
const troubleOf = ({ state, warnings }) => (troubles.includes(state) ? troubles.indexOf(state) : warnings.length > 0 ? 3 : 4);

const caughtUp = ({ caught_up_in_seconds: left }) => (left === undefined ? '' : 'caught up in about ' + duration(left));

function ageCell(source) {
  const { name, cursor_age_seconds: age, retention_seconds: kept } = source;
  if (age === undefined) return { text: 'nothing yet' };
  if (kept === undefined) return { text: duration(age) + ' ago', small: caughtUp(source) };
  const share = age / kept;
  const mood = share > 0.75 ? 'error' : share > 0.5 ? 'warning' : '';
  return { text: duration(age) + ' ago', mood, small: [caughtUp(source), 'the vendor keeps ' + duration(kept)].filter((part) => part !== '').join('; '), bar: { share, mood, of: name } };
}

/** What the state alone does not say. */
function stateFacts({ consecutive_failures, state, polling_since }, at) {
  if (consecutive_failures > 0) return plural(consecutive_failures, 'failure', 'failures') + ' in a row';
  return state === 'polling' && at - polling_since >= 60000 ? 'for ' + duration((at - polling_since) / 1000) : '';
}

function drawSources({ sources, at }) {
  const wanted = byId('filter').value.trim().toLowerCase();
  const found = sources.filter(({ name, connector, state }) => wanted === '' || (name + ' ' + connector + ' ' + (states[state] ?? state)).toLowerCase().includes(wanted));
  const shown = found.map((source) => [troubleOf(source), source]).sort(([one], [other]) => one - other).slice(0, most);
  drawTable('sources', shown.map(([, source]) => ({
    key: source.name,
    cells: [
      { text: source.name, small: source.connector },
      stateCell(source.state, stateFacts(source, at)),
      ageCell(source),
      ago(at, source.last_success),
      ago(at, source.last_event),
      number(source.records.new),
      { buttons: [{ label: 'Poll now', about: 'source ' + source.name, paths: [path('sources', source.name, 'poll')] }] },
    ],
  })));
  byId('source-tools').hidden = sources.length < 20;
  byId('no-sources').hidden = sources.length > 0;
  byId('more').hidden = found.length <= most;
  setText(byId('source-count'), sources.length < 20 ? '' : count(Math.min(most, found.length)) + ' of ' + count(sources.length) + ' shown, those in trouble first');
}
`;

const rest = String.raw`
function drawLetters({ letters }) {
  drawOptional('letters-section', 'letters', letters.map((one) => ({
    key: one.sink + '\n' + one.code + '\n' + one.text,
    cells: [one.sink, { text: one.code, small: one.text }, number(one.count), { text: one.source, small: one.action ?? '' }, ago(lastAt, one.last)],
  })));
}

function drawUnknown({ sources }) {
  const rows = sources.flatMap(({ name, connector, unknown_actions: unknown }) => (unknown?.actions ?? []).map(({ action, count }) => ({ key: name + '\n' + action, count, cells: [action, { text: name, small: 'penstock actions ' + connector + ' --unknown' }, number(count)] })));
  drawOptional('unknown-section', 'unknown', rows.sort((one, other) => other.count - one.count).slice(0, 30));
}

function drawLate({ sources }) {
  const late = sources.filter(({ details }) => details?.lateness !== undefined);
  drawOptional('late-section', 'late', late.slice(0, 50).map(({ name, details: { lateness, suggested_overlap: overlap } }) => ({
    key: name,
    cells: [name, number(Object.values(lateness.late).reduce((sum, value) => sum + value, 0)), number(lateness.on_time), duration(lateness.latest_ms / 1000), overlap === undefined ? 'the overlap covers them' : 'set window: { overlap: ' + overlap + ' } on the source'],
  })));
}

function drawTopics({ sources }) {
  const rows = sources.flatMap(({ name, details }) => Object.entries(details?.topics ?? {}).map(([topic, { connected, error = '', backlog_age_seconds: age }]) => ({
    key: name + '\n' + topic,
    bad: connected ? 1 : 0,
    cells: [topic, name, { text: connected ? 'connected' : 'disconnected', mood: connected ? 'ok' : 'error', kind: 'state', small: error }, age === undefined ? 'unknown' : duration(age)],
  })));
  drawOptional('topics-section', 'topics', rows.sort((one, other) => one.bad - other.bad).slice(0, 100));
}

function shareOf(progress) {
  const { done, total, at, from, to, files, files_done: read } = progress ?? {};
  if (total > 0) return done / total;
  if (files > 0) return (read ?? 0) / files;
  return typeof at === 'number' && to > from ? (at - from) / (to - from) : undefined;
}

function progressCell({ id, kind, state, progress, started, error }) {
  if (state === 'failed') return { text: error ?? 'failed', mood: 'error' };
  const share = shareOf(progress);
  const { done, total, fetched } = progress ?? {};
  const parts = [total > 0 ? count(done) + ' of ' + (kind === 'replay' ? plural(total, 'stored event', 'stored events') + ' looked through' : plural(total, 'event', 'events')) : '', fetched > 0 ? plural(fetched, 'record', 'records') : ''];
  const spent = (lastAt - started) / 1000;
  const { sink, ahead } = progress ?? {};
  const waits = sink === 'hold' ? 'the sink is on hold' : sink === 'retrying' ? 'the sink takes nothing at the moment' : ahead > 0 ? plural(ahead, 'newer event goes', 'newer events go') + ' first' : '';
  const left = state === 'running' && share > 0.02 && spent > 5 ? 'about ' + duration((spent * (1 - share)) / share) + ' left' : '';
  const text = parts.filter((part) => part !== '').join(', ');
  if (state !== 'running' || share === undefined) return { text: text === '' ? '-' : text };
  return { text: Math.round(share * 100) + ' %' + (text === '' ? '' : ', ' + text), small: [left, waits].filter((part) => part !== '').join('; '), bar: { share, mood: '', of: 'job ' + id } };
}

function drawJobs({ jobs, at }) {
  // Which button was pressed is in the log.
  const order = jobs.filter(({ kind, state }) => kind !== 'release' || state === 'failed').sort((one, other) => (other.state === 'running') - (one.state === 'running') || other.id - one.id);
  drawOptional('jobs-section', 'jobs', order.map((job) => ({
    key: String(job.id),
    cells: [{ text: job.id + ' ' + job.kind.replaceAll('_', ' '), small: job.args?.source ?? job.args?.sink ?? job.args?.name ?? '' }, { text: job.state, mood: job.state === 'failed' ? 'error' : job.state === 'done' ? 'ok' : '', kind: 'state' }, progressCell(job), ago(at, job.created)],
  })));
}

function drawLedger({ ledger: { collected, sinks, imbalances }, status: { journal } }) {
  const isWell = imbalances.length === 0;
  const when = journal?.server?.answers === false ? 'As it was read last, before the database fell silent. ' : '';
  setText(byId('ledger-text'), when + (isWell ? 'It balances: everything collected is accounted for.' : 'It does not balance: ' + imbalances[0]));
  setClass(byId('ledger-text'), isWell ? 'ok' : 'error');
  setText(byId('ledger-more'), count(collected.fetched) + ' fetched = ' + count(collected.new) + ' new + ' + count(collected.duplicate) + ' seen before (windows overlap on purpose) + ' + count(collected.excluded) + ' excluded by a filter.');
  drawTable('ledger', Object.entries(sinks).slice(0, 200).map(([name, totals]) => {
    const lost = totals.skipped + totals.abandoned;
    return { key: name, cells: [name, number(totals.acknowledged), number(totals.unconfirmed), number(totals.pending), number(totals.dead_lettered), number(totals.not_routed), number(totals.discarded), { text: count(lost), kind: 'number', mood: lost > 0 ? 'error' : '' }] };
  }));
}

function drawReplicas({ replicas }) {
  drawOptional('replicas-section', 'replicas', (Array.isArray(replicas) ? replicas : []).map((one) => ({
    key: String(one.name),
    cells: [String(one.name), String(one.version ?? ''), Array.isArray(one.sources) ? number(one.sources.length) : number(one.sources), ago(lastAt, one.since), ago(lastAt, one.last_seen)],
  })));
}

function drawSummary({ version, uptime_seconds: uptime, config, at }) {
  const loaded = config === undefined ? '' : ', configuration loaded ' + ago(at, config.loaded_at) + (config.differs_from_file ? ' (its files say something else now)' : '');
  setText(byId('summary'), 'Penstock ' + version + (uptime === undefined ? '' : ', up ' + duration(uptime)) + loaded + '. As of ' + clock(at) + '.');
}

function draw(report) {
  const focused = document.activeElement;
  const { status } = report;
  lastReport = report;
  lastAt = status.at;
  drawSummary(status);
  drawProblems(report);
  drawJournal(report);
  drawDay(report);
  drawSinks(status);
  drawSources(status);
  drawLetters(report);
  for (const part of [drawUnknown, drawLate, drawTopics, drawJobs, drawReplicas]) part(status);
  drawLedger(report);
  if (focused === null || focused === document.activeElement || focused === document.body) return;
  // Its row was moved, or is gone with its problem.
  (focused.isConnected && focused.offsetParent !== null ? focused : byId('headline')).focus({ preventScroll: true });
}
`;

/** What a report of the daemon becomes. */
export const drawing = `${elements}${problems}${sections}${rest}`;
