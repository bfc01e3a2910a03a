import { expect, it } from 'vitest';
import { processOutput } from '../../src/cli/output.ts';
import { describeProgress, openProgress } from '../../src/cli/progress.ts';
import { stream } from './terminal.ts';

const open = (isTTY: boolean, env: NodeJS.ProcessEnv = {}) => {
  const stdout = stream(isTTY);
  const stderr = stream(isTTY);
  return { output: processOutput({ stdout: stdout.stream, stderr: stderr.stream, env }), out: stdout.text, err: stderr.text };
};

it('aligns columns, numbers to the right, whatever the colours', () => {
  const { output, out } = open(true);

  output.table(
    ['name', 'pending'],
    [
      [output.color.red('soc'), 5],
      ['splunk', 1234],
    ],
  );

  expect(out()).toBe('\u001b[1mname    pending\u001b[0m\n\u001b[31msoc\u001b[0m           5\nsplunk     1234\n');
});

it.each([
  { isTTY: false, env: {} },
  { isTTY: true, env: { NO_COLOR: '1' } },
])('uses no colour with $env, terminal: $isTTY', ({ isTTY, env }) => {
  const { output, out } = open(isTTY, env);

  output.line(output.color.red('x'));

  expect(out()).toBe('x\n');
});

it.each([
  {
    isTTY: true,
    columns: 44,
    lines: [
      'error  sink soc: answered 503',
      '       (https://siem.example/services/collector/event)',
      '       and 5 events wait',
    ],
  },
  {
    isTTY: true,
    columns: undefined,
    lines: ['error  sink soc: answered 503 (https://siem.example/services/collector/event) and 5 events wait'],
  },
  {
    isTTY: false,
    columns: 44,
    lines: ['error  sink soc: answered 503 (https://siem.example/services/collector/event) and 5 events wait'],
  },
])(
  'wraps words below their beginning on a terminal that is $columns wide, and cuts none: $isTTY',
  ({ isTTY, columns, lines }) => {
    const stdout = stream(isTTY, columns);
    const output = processOutput({ stdout: stdout.stream, stderr: stream(false).stream, env: { NO_COLOR: '1' } });

    output.paragraph(
      `${output.color.red('error')}  `,
      'sink soc: answered 503 (https://siem.example/services/collector/event) and 5 events wait',
    );

    expect(stdout.text()).toBe(`${lines.join('\n')}\n`);
  },
);

it.each([
  { columns: 80, head: 'sink                pending  unconfirmed  dead letters  last taken' },
  { columns: 60, head: 'sink                pending  unconfirmed  last taken' },
  // What says something stays, however narrow it is.
  { columns: 40, head: 'sink                pending  last taken' },
  { columns: 10, head: 'sink                pending  last taken' },
  { columns: undefined, head: 'sink                pending  unconfirmed  dead letters  last taken' },
])('leaves out columns of zeros where a table is wider than the terminal: $columns', ({ columns, head }) => {
  const stdout = stream(true, columns);
  const output = processOutput({ stdout: stdout.stream, stderr: stream(false).stream, env: { NO_COLOR: '1' } });

  output.table(
    ['sink', 'pending', 'unconfirmed', 'dead letters', 'last taken'],
    [
      ['security-operations', 5, 0, 0, '1m ago'],
      ['lake', 0, 0, 0, '2m ago'],
    ],
  );

  expect(stdout.text().split('\n')[0]).toBe(head.replace(/^sink +/, 'sink'.padEnd(21)));
});

it('lets no text from elsewhere steer the terminal, wherever it is printed', () => {
  const { output, out, err } = open(true);
  const foreign = '\u001b]0;owned\u0007 \u001b[31m \u009b2J a\rb \u202eevil\u200b';
  const harmless = '\uFFFD]0;owned\uFFFD \uFFFD[31m \uFFFD2J a\uFFFDb \uFFFDevil\uFFFD';

  output.table(['reason'], [[`${foreign}\n`]]);
  output.line(output.color.red(foreign));
  output.note(foreign);
  output.progress(foreign);

  expect(out()).toBe(`\u001b[1mreason\u001b[0m\n${harmless}\uFFFD\n\u001b[31m${harmless}\u001b[0m\n`);
  expect(err()).toBe(`${harmless}\n\r\u001b[2K${harmless}`);
});

it('prints JSON that says the same and steers no terminal', () => {
  const { output, out } = open(true);
  const value = { 'k\u009b': '\u001b[31m\u0085\u202e\u{e0041}😀é' };

  output.json(value);

  expect(JSON.parse(out())).toEqual(value);
  // oxlint-disable-next-line no-control-regex
  expect(out()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]|\p{Cf}/u);
});

it('overwrites progress on a terminal and says it rarely elsewhere', () => {
  const terminal = open(true);
  const pipe = open(false);

  for (const { output } of [terminal, pipe]) {
    output.progress('1 of 2');
    output.progress('2 of 2');
    output.progressDone();
  }

  expect([terminal.err(), pipe.err()]).toEqual(['\r\u001b[2K1 of 2\r\u001b[2K2 of 2\n', '1 of 2\n']);
});

it.each([
  [null, 'waiting'],
  [{ at: 1_795_168_800_000, fetched: 75, new: 70, duplicate: 5 }, 'up to 2026-11-20T10:00:00.000Z, 75 records so far'],
  [{ done: 3, total: 9 }, '3 of 9 events'],
  [{ done: 3, total: 9 }, '3 of 9 stored events looked through', 'replay'],
  [{ done: 0, total: 9, ahead: 1 }, '0 of 9 stored events looked through; 1 newer event goes first', 'replay'],
  [{ done: 0, total: 9, ahead: 40 }, '0 of 9 stored events looked through; 40 newer events go first', 'replay'],
  [{ done: 0, total: 9, ahead: 40, sink: 'hold' }, '0 of 9 stored events looked through; the sink is on hold', 'replay'],
  [{ done: 0, total: 9, sink: 'retrying' }, '0 of 9 events; the sink takes nothing at the moment', 'retry_dead_letters'],
  [
    { done: 3, total: 3, deleted: 9, since: 1_795_168_800_000 },
    '3 of 3 stored events looked through; the journal has only what was received since 2026-11-20T10:00:00.000Z: 9 older events were deleted (journal.keep), "penstock backfill" asks the vendor for them',
    'replay',
  ],
  [
    { done: 0, total: 0, deleted: 9 },
    '0 of 0 stored events looked through; the journal has nothing of them: 9 older events were deleted (journal.keep), "penstock backfill" asks the vendor for them',
    'replay',
  ],
  [{ files: 2, files_done: 1, file: 'a.csv', fetched: 9, new: 4, duplicate: 5 }, '1 of 2 files, 9 records so far, 4 of them new'],
  [{ steps: 2 }, '{"steps":2}'],
])('says how far a job got: %j', (progress, words, kind = 'other') => {
  expect(describeProgress({ kind, progress })).toBe(words);
});

it.each([
  { state: 'running', range: '75 records so far', imported: '9 records so far, 4 of them new' },
  { state: 'done', range: '75 records', imported: '9 records, 4 of them new' },
  { state: 'failed', range: '75 records', imported: '9 records, 4 of them new' },
  { state: 'cancelled', range: '75 records', imported: '9 records, 4 of them new' },
] as const)('expects no more records of a job only once it is over: $state', ({ state, range, imported }) => {
  const said = [
    describeProgress({ state, progress: { at: 1_795_168_800_000, fetched: 75, new: 70, duplicate: 5 } }),
    describeProgress({ state, progress: { files: 2, files_done: 1, file: 'a.csv', fetched: 9, new: 4, duplicate: 5 } }),
  ];

  expect(said).toEqual([`up to 2026-11-20T10:00:00.000Z, ${range}`, `1 of 2 files, ${imported}`]);
});

it('says how fast it goes and how long it will take, once that is more than chance', () => {
  const said: string[] = [];
  let now = 0;
  const show = openProgress('backfill', { progress: (text) => void said.push(text) }, () => now);
  const stage = (part: number, count: number) => ({ text: `${count} records`, part, count, unit: 'records' });

  for (const [at, part, count] of [
    [0, 0, 0],
    [50, 0.01, 10],
    [1000, 0.1, 100],
    [10_000, 0.25, 2000],
    [20_000, 1, 8000],
  ] as const) {
    now = at;
    show(stage(part, count));
  }

  expect(said).toEqual([
    'backfill: 0 records, 0 %',
    'backfill: 100 records, 10 %',
    'backfill: 2000 records, 25 %, 200 records/s, about 30s left',
    'backfill: 8000 records, 100 %, 400 records/s',
  ]);
});
