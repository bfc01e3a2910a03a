import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Files, type Seams, systemSeams } from '../../src/base/seams.ts';
import { file } from '../../src/sinks/file/index.ts';
import type { Verdicts } from '../../src/sinks/sink.ts';
import { fewOrMany } from '../thorough.ts';
import { batchOf, bodyOf, kindsOf, manualClock, never, numbered, openSink, outgoing, until } from './sink-bench.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-file-'));
  path = join(folder, 'out', 'audit.ndjson');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const line = (uid: string): string => `${bodyOf(uid)}\n`;
const rotatedIn = (): string[] =>
  readdirSync(join(folder, 'out'))
    .filter((name) => name !== 'audit.ndjson')
    .sort();
const linesOf = (name: string): string[] => {
  const bytes = readFileSync(join(folder, 'out', name));
  return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n').slice(0, -1);
};
const allLines = (): string[] =>
  [...rotatedIn(), 'audit.ndjson'].filter((name) => existsSync(join(folder, 'out', name))).flatMap(linesOf);

/** Files whose handles write through `write`, as a disk that fills up or fails does. */
function filesWith(
  change: Partial<Pick<fs.FileHandle, 'write' | 'datasync' | 'truncate'>> | ((handle: fs.FileHandle) => Partial<fs.FileHandle>),
): Files {
  return {
    ...systemSeams().files,
    open: async (...args: Parameters<Files['open']>) => {
      const handle = await fs.open(...args);
      return Object.assign(handle, typeof change === 'function' ? change(handle) : change);
    },
  };
}

/** Seams under which closing waits for what is being compressed however long that takes: no time limit ends. */
function patient(files: Files = systemSeams().files): Seams {
  const seams = systemSeams();
  return { ...seams, files, clock: { ...seams.clock, timer: () => ({ [Symbol.dispose]: () => undefined }) } };
}

const fault = (code: string): Error => Object.assign(new Error(`${code}: no`), { code });

it('appends one line per event, readable by the owner only, in a folder that it makes', async () => {
  await using sink = await openSink(file, { path });

  const verdicts = await sink.send(batchOf(sink, numbered(3)), never());

  expect(verdicts).toEqual({ all: { kind: 'accept' } });
  expect(readFileSync(path, 'utf8')).toBe(
    numbered(3)
      .map(({ uid }) => line(uid))
      .join(''),
  );
  expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
});

it('accepts only after the data is synced', async () => {
  const order: string[] = [];
  const files = filesWith((handle) => {
    const write = handle.write.bind(handle);
    const datasync = handle.datasync.bind(handle);
    return {
      write: (async (...args: Parameters<typeof write>) => {
        order.push('write');
        return await write(...args);
      }) as typeof write,
      datasync: async () => {
        order.push('datasync');
        await datasync();
      },
    };
  });
  await using sink = await openSink(file, { path }, { seams: { ...systemSeams(), files } });

  await sink.send(batchOf(sink, numbered(2)), never());

  expect(order).toEqual(['write', 'datasync']);
});

it('syncs the folder of a new file, and a compressed one before the file that it stands for goes', async () => {
  const steps: string[] = [];
  const nameOf = (opened: unknown): string =>
    String(opened) === join(folder, 'out') ? 'folder' : String(opened).replace(/.*\./, '');
  const own = systemSeams().files;
  // It is compressed beside what is written: only when all is written is it clear whose folder is synced.
  const written = Promise.withResolvers<void>();
  const files: Files = {
    ...own,
    open: async (...args: Parameters<Files['open']>) => {
      if (nameOf(args[0]) === 'part') await written.promise;
      const handle = await own.open(...args);
      const sync = handle.sync.bind(handle);
      return Object.assign(handle, { sync: () => (steps.push(`sync ${nameOf(args[0])}`), sync()) });
    },
    unlink: (...args) => (steps.push(`delete ${nameOf(args[0])}`), own.unlink(...args)),
  };
  await using sink = await openSink(file, { path, rotate: { size: '60B' }, compress_rotated: true }, { seams: patient(files) });

  await sink.send(batchOf(sink, numbered(1)), never());
  const made = steps.splice(0);
  await sink.send(batchOf(sink, numbered(1, 1)), never());
  const moved = steps.splice(0);
  written.resolve();
  await sink[Symbol.asyncDispose]();

  expect([made, moved]).toEqual([['sync folder'], ['sync folder', 'sync folder']]);
  expect(steps).toEqual(['sync part', 'sync folder', 'delete ndjson']);
});

it.each([
  ['{"whole":1}\n{"torn', '{"whole":1}\n'],
  ['{"torn', ''],
  [`{"whole":1}\n${'x'.repeat(200_000)}`, '{"whole":1}\n'],
  ['{"whole":1}\n', '{"whole":1}\n'],
])('cuts off a torn last line before it appends (%#)', async (before, kept) => {
  mkdirSync(join(folder, 'out'));
  writeFileSync(path, before);
  await using sink = await openSink(file, { path });

  await sink.send(batchOf(sink, numbered(1)), never());

  expect(readFileSync(path, 'utf8')).toBe(`${kept}${line('e000000')}`);
});

it('cuts the file back after a partial write and retries, so that no line is torn or lost', async () => {
  let fails = true;
  const files = filesWith((handle) => {
    const write = handle.write.bind(handle);
    return {
      write: (async (bytes: Buffer, offset = 0) => {
        if (!fails) return await write(bytes, offset);
        if (offset > 0) throw fault('ENOSPC');
        return await write(bytes, 0, 40);
      }) as typeof write,
    };
  });
  await using sink = await openSink(file, { path }, { seams: { ...systemSeams(), files } });
  fails = false;
  await sink.send(batchOf(sink, numbered(1)), never());
  fails = true;
  const batch = batchOf(sink, numbered(3, 1));

  const full = await sink.send(batch, never());
  const between = readFileSync(path, 'utf8');
  fails = false;
  const later = await sink.send(batch, never());

  expect(full).toEqual({ all: { kind: 'retry', reason: `${path}: ENOSPC: no (make room on its file system)` } });
  expect(between).toBe(line('e000000'));
  expect(later).toEqual({ all: { kind: 'accept' } });
  expect(readFileSync(path, 'utf8')).toBe(
    numbered(4)
      .map(({ uid }) => line(uid))
      .join(''),
  );
});

it('retries when syncing fails, and takes the lines back', async () => {
  const files = filesWith({ datasync: () => Promise.reject(fault('EIO')) });
  await using sink = await openSink(file, { path }, { seams: { ...systemSeams(), files } });

  const verdicts = await sink.send(batchOf(sink, numbered(2)), never());

  expect(verdicts).toMatchObject({ all: { kind: 'retry' } });
  expect(readFileSync(path, 'utf8')).toBe('');
});

it('holds where it may not write', async () => {
  const files: Files = { ...systemSeams().files, open: () => Promise.reject(fault('EACCES')) };
  await using sink = await openSink(file, { path }, { seams: { ...systemSeams(), files } });

  const verdicts = await sink.send(batchOf(sink, numbered(1)), never());

  expect(verdicts).toMatchObject({ all: { kind: 'hold', fix: expect.stringContaining(join(folder, 'out')) as string } });
});

it.each([
  ['ENOSPC', 'retry', 'ENOSPC: no (make room on its file system)'],
  ['EDQUOT', 'retry', 'EDQUOT: no (raise the quota of its user, or make room)'],
  ['EIO', 'retry', 'EIO: no'],
  ['EFBIG', 'hold', 'EFBIG: no'],
])('says what to do about %s', async (code, kind, says) => {
  const files = filesWith({ write: () => Promise.reject(fault(code)) });
  await using sink = await openSink(file, { path }, { seams: { ...systemSeams(), files } });

  const verdicts = await sink.send(batchOf(sink, numbered(1)), never());

  expect(verdicts).toEqual({
    all: {
      kind,
      reason: `${path}: ${says}`,
      ...(kind === 'hold' && { fix: 'set "rotate: { size: ... }" below what the file system, or ulimit -f, allows' }),
    },
  });
});

it.each(['EIO', 'EROFS'])(
  'counts as doubtful what it could not take back after %s, for some of it may have stayed',
  async (code) => {
    const files = filesWith({ datasync: () => Promise.reject(fault(code)), truncate: () => Promise.reject(fault(code)) });
    await using sink = await openSink(file, { path }, { seams: { ...systemSeams(), files } });

    const verdicts = await sink.send(batchOf(sink, numbered(2)), never());

    expect(verdicts).toMatchObject({
      all: code === 'EIO' ? { kind: 'uncertain', blameless: true } : { kind: 'hold', maybeStored: true },
    });
    expect(readFileSync(path, 'utf8')).not.toBe('');
  },
);

it.each([
  { what: 'a symbolic link', plant: symlinkSync, says: 'is a symbolic link' },
  { what: 'a hard link', plant: linkSync, says: 'is a hard link: the same file has 2 names' },
])('holds, and fills nothing, where somebody left $what', async ({ plant, says }) => {
  const victim = join(folder, 'victim');
  mkdirSync(join(folder, 'out'));
  writeFileSync(victim, 'precious\n');
  plant(victim, path);
  await using sink = await openSink(file, { path });

  const verdicts = await sink.send(batchOf(sink, numbered(1)), never());
  const probed = await sink.probe(never());

  const reason = `${path}: the file ${says}; it is not used`;
  const fix = 'give the path of a file that only this sink writes; for a pipe use type: stdout';
  expect([verdicts, probed]).toEqual([{ all: { kind: 'hold', reason, fix } }, { ok: false, findings: [reason], fix }]);
  expect(readFileSync(victim, 'utf8')).toBe('precious\n');
});

describe('a file that holds something else', () => {
  const foreign = [
    ['a database', 'ocsf', 'SQLite format 3\0\x10\n\0half'],
    ['a configuration', 'ocsf', 'data_dir: ./data\nsinks:'],
    ['a key', 'cef', '-----BEGIN PRIVATE KEY-----\nabc'],
    ['one word', 'ocsf', 'token-without-line-feed'],
    ['binary data', 'raw', '\x1f\x8b\0\n'],
  ] as const;

  it.each(foreign)('holds, and nothing of it is changed: %s, format %s', async (_, format, text) => {
    mkdirSync(join(folder, 'out'));
    writeFileSync(path, text);
    await using sink = await openSink(file, { path }, { format });

    const verdicts = await sink.send(batchOf(sink, numbered(1)), never());
    const probed = await sink.probe(never());

    const reason = `${path}: the file holds something else than lines of this sink; nothing of it is changed`;
    const fix = 'move it away, or give the path of a file that only this sink writes; for a pipe use type: stdout';
    expect([verdicts, probed]).toEqual([{ all: { kind: 'hold', reason, fix } }, { ok: false, findings: [reason], fix }]);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it.each([
    ['lines of another format', 'ocsf', 'CEF:0|a|b|c|d|e|5|\n', 'CEF:0|a|b|c|d|e|5|\n'],
    ['the beginning of a torn first line', 'leef', 'LE', ''],
    ['what a power cut made of a first line', 'ocsf', '\0\0\0', ''],
    ['records as vendors gave them', 'raw', 'a,b,c\n', 'a,b,c\n'],
    ['nothing', 'ocsf', '', ''],
  ] as const)('is not what holds %s, format %s', async (_, format, text, kept) => {
    mkdirSync(join(folder, 'out'));
    writeFileSync(path, text);
    await using sink = await openSink(file, { path }, { format });

    const verdicts = await sink.send(batchOf(sink, numbered(1)), never());

    expect(verdicts).toEqual({ all: { kind: 'accept' } });
    expect(readFileSync(path, 'utf8')).toBe(`${kept}${line('e000000')}`);
  });
});

it('compresses no file that a link leads to', async () => {
  const victim = join(folder, 'victim');
  mkdirSync(join(folder, 'out'));
  writeFileSync(victim, 'secret');
  symlinkSync(victim, join(folder, 'out', 'audit.20261103T000000.000Z.ndjson'));
  await using sink = await openSink(file, { path, rotate: { every: 'day' }, compress_rotated: true }, { seams: patient() });

  await sink.send(batchOf(sink, numbered(1)), never());
  await sink[Symbol.asyncDispose]();

  expect(rotatedIn().filter((name) => name.endsWith('.gz'))).toEqual([]);
});

it('begins a new file before the size is passed, never inside a line, and loses none', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 8 }), { maxLength: 8 }),
      async (batches) => {
        rmSync(join(folder, 'out'), { recursive: true, force: true });
        await using sink = await openSink(file, { path, rotate: { size: '500B' } });
        let count = 0;
        for (const lengths of batches) {
          const events = lengths.map((length) => outgoing({ body: `${String((count += 1))}${'x'.repeat(length)}` }));
          expect(await sink.send(batchOf(sink, events), never())).toEqual({ all: { kind: 'accept' } });
        }

        if (count === 0) return;
        const sizes = readdirSync(join(folder, 'out')).map((name) => statSync(join(folder, 'out', name)).size);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
        expect(
          allLines()
            .map((text) => Number.parseInt(text, 10))
            .sort((a, b) => a - b),
        ).toEqual(Array.from({ length: count }, (_, at) => at + 1));
      },
    ),
    { numRuns: fewOrMany(10, 100) },
  );
});

it('begins a new file when the UTC day changes, named after the moment', async () => {
  const { seams, advance } = manualClock();
  await using sink = await openSink(file, { path, rotate: { every: 'day' } }, { seams });
  await sink.send(batchOf(sink, numbered(1)), never());
  advance(3_600_000);
  await sink.send(batchOf(sink, numbered(1, 1)), never());
  advance(86_400_000);

  await sink.send(batchOf(sink, numbered(1, 2)), never());

  expect(rotatedIn()).toEqual(['audit.20261122T104500.000Z.ndjson']);
  expect(allLines()).toEqual(numbered(3).map(({ body }) => body));
});

it('moves a file of yesterday away when it is opened again today', async () => {
  await using first = await openSink(file, { path });
  await first.send(batchOf(first, numbered(1)), never());
  await fs.utimes(path, new Date(), new Date(Date.now() - 90_000_000));
  await using sink = await openSink(file, { path, rotate: { every: 'day' } });

  await sink.send(batchOf(sink, numbered(1, 1)), never());

  expect(rotatedIn()).toHaveLength(1);
  expect(readFileSync(path, 'utf8')).toBe(line('e000001'));
});

it('never writes over a rotated file of the same moment, compressed or not', async () => {
  const { seams } = manualClock();
  await using sink = await openSink(file, { path, rotate: { size: '60B' }, compress_rotated: true }, { seams });

  for (let at = 0; at < 5; at += 1) await sink.send(batchOf(sink, numbered(1, at)), never());
  await until(() => rotatedIn().every((name) => name.endsWith('.gz')));

  const stamp = 'audit.20261121T094500.000Z';
  expect(rotatedIn().sort()).toEqual([
    `${stamp}-1.ndjson.gz`,
    `${stamp}-2.ndjson.gz`,
    `${stamp}-3.ndjson.gz`,
    `${stamp}.ndjson.gz`,
  ]);
  expect(allLines().sort()).toEqual(numbered(5).map(({ body }) => body));
});

it.each([
  { what: 'was ahead by a year', steps: [366 * 86_400_000, -366 * 86_400_000] },
  { what: 'is set back by a year', steps: [0, -366 * 86_400_000] },
  { what: 'stands still', steps: [0, 0] },
])('deletes the oldest beyond keep_files and nothing newer, also where the clock $what', async ({ steps }) => {
  let now = manualClock().seams.clock.now();
  const seams = { ...manualClock().seams, clock: { ...manualClock().seams.clock, now: () => now } };
  await using sink = await openSink(file, { path, rotate: { size: '60B' }, keep_files: 3 }, { seams });

  for (const [at, step] of [0, ...steps, 0, 0, 0].entries()) {
    now += step;
    await sink.send(batchOf(sink, numbered(1, at)), never());
  }

  await until(() => rotatedIn().length === 3);
  expect(allLines().sort()).toEqual(numbered(4, 2).map(({ body }) => body));
});

it('finishes what a crash left of compressing, and keeps the newest files only', async () => {
  await using first = await openSink(file, { path });
  await first.send(batchOf(first, numbered(1)), never());
  const beside = (name: string): string => join(folder, 'out', name);
  for (const day of ['01', '02', '03']) writeFileSync(beside(`audit.202611${day}T000000.000Z.ndjson`), `${day}\n`);
  writeFileSync(beside('audit.20261103T000000.000Z.ndjson.gz.part'), 'half');
  writeFileSync(beside('audit.notes.ndjson'), 'mine');

  const options = { path, rotate: { size: '1MB' }, compress_rotated: true, keep_files: 2 };
  await using sink = await openSink(file, options, { seams: patient() });
  await sink.send(batchOf(sink, numbered(1, 1)), never());
  await sink[Symbol.asyncDispose]();

  expect(rotatedIn()).toEqual([
    'audit.20261102T000000.000Z.ndjson.gz',
    'audit.20261103T000000.000Z.ndjson.gz',
    'audit.notes.ndjson',
  ]);
  expect(linesOf('audit.20261103T000000.000Z.ndjson.gz')).toEqual(['03']);
});

it('follows logrotate: a file that was moved or deleted is created again', async () => {
  await using sink = await openSink(file, { path });
  await sink.send(batchOf(sink, numbered(1)), never());

  renameSync(path, `${path}.1`);
  await sink.send(batchOf(sink, numbered(1, 1)), never());
  rmSync(path);
  await sink.send(batchOf(sink, numbered(1, 2)), never());

  expect([readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')]).toEqual([line('e000000'), line('e000002')]);
});

it('leaves no gap in a file that somebody emptied, when a write after that fails', async () => {
  let isFull = false;
  const files = filesWith((handle) => {
    const write = handle.write.bind(handle) as (bytes: Buffer, ...rest: number[]) => Promise<{ bytesWritten: number }>;
    const half = async (bytes: Buffer): Promise<unknown> => {
      if (!isFull) return await write(bytes);
      await write(bytes.subarray(0, 5));
      throw fault('ENOSPC');
    };
    return { write: half as unknown as typeof handle.write };
  });
  await using sink = await openSink(file, { path }, { seams: { ...systemSeams(), files } });
  await sink.send(batchOf(sink, numbered(3)), never());

  truncateSync(path, 0);
  isFull = true;
  await sink.send(batchOf(sink, numbered(1, 3)), never());
  isFull = false;
  await sink.send(batchOf(sink, numbered(1, 3)), never());

  expect(readFileSync(path, 'utf8')).toBe(line('e000003'));
});

it('begins a line of its own where somebody else left half of one', async () => {
  await using sink = await openSink(file, { path });
  await sink.send(batchOf(sink, numbered(1)), never());

  appendFileSync(path, 'half a li');
  await sink.send(batchOf(sink, numbered(1, 1)), never());

  expect(readFileSync(path, 'utf8')).toBe(`${line('e000000')}${line('e000001')}`);
});

describe('a disk that stands still', () => {
  /** Files whose disk takes a line only when it is told to; `held` are the calls that it keeps. */
  function stillDisk(): { readonly files: Files; readonly held: (() => void)[]; readonly answers: () => void } {
    const held: (() => void)[] = [];
    let isStill = true;
    const files = filesWith((handle) => {
      const datasync = handle.datasync.bind(handle);
      return {
        datasync: async () => {
          if (isStill) await new Promise<void>((resolve) => void held.push(resolve));
          await datasync();
        },
      };
    });
    return {
      files,
      held,
      answers() {
        isStill = false;
        for (const go of held.splice(0)) go();
      },
    };
  }
  const cutOff = (reason: unknown = new DOMException('no answer within 30000 ms', 'TimeoutError')): AbortSignal =>
    AbortSignal.abort(reason);
  const says = (at: string): string => `${at}: a write has not ended: see why its disk, or the server of its share, stands still`;
  const mayStay = (at: string) => ({ all: { kind: 'uncertain', reason: says(at), blameless: true } });
  const waits = (at: string) => ({ all: { kind: 'retry', reason: says(at) } });
  const others = (at: string) => ({
    all: { kind: 'retry', reason: `${at}: it waits for calls on other files and folders, which have not ended either` },
  });

  it('gets each batch once, however often it comes again, and what follows after it', async () => {
    const { files, held, answers } = stillDisk();
    await using sink = await openSink(file, { path }, { seams: { ...systemSeams(), files } });
    const [batch, next] = [batchOf(sink, numbered(2)), batchOf(sink, numbered(1, 2))];

    const controller = new AbortController();
    const first = sink.send(batch, controller.signal);
    await until(() => held.length > 0);
    controller.abort(cutOff().reason);
    const early = [await first, await sink.send(batch, cutOff()), await sink.send(next, cutOff())];
    answers();
    await until(() => existsSync(path) && readFileSync(path, 'utf8') !== '');
    const late = [await sink.send(batch, never()), await sink.send(next, never())];

    expect(early).toEqual([mayStay(path), waits(path), waits(path)]);
    expect(late).toEqual([{ all: { kind: 'accept' } }, { all: { kind: 'accept' } }]);
    expect(allLines()).toEqual(numbered(3).map(({ body }) => body));
  });

  it.each([
    ['4', 2],
    ['7', 3],
    ['none', 2],
  ])('leaves four of the threads to all else where it can, of %s', async (threads, atOnce) => {
    vi.stubEnv('UV_THREADPOOL_SIZE', threads);
    const { files, held, answers } = stillDisk();
    const paths = ['a', 'b', 'c', 'd'].map((name) => join(folder, 'out', name));
    const openings = await Promise.all(
      [...paths, ...paths].map((each) => openSink(file, { path: each }, { seams: { ...systemSeams(), files } })),
    );

    const controller = new AbortController();
    const sent = openings.map((sink) => sink.send(batchOf(sink, numbered(1)), controller.signal));
    await until(() => held.length >= atOnce);
    await new Promise((resolve) => setTimeout(resolve, 50));
    controller.abort(cutOff().reason);
    const early = await Promise.all(sent);
    const most = held.length;
    answers();
    await Promise.all(openings.map((sink) => sink[Symbol.asyncDispose]()));

    expect(early).toEqual([...paths, ...paths].map((each, at) => (at < atOnce ? mayStay(each) : others(each))));
    expect(most).toBe(atOnce);
  });

  it('keeps no sink from being closed, and one that is closed writes nothing that it had not begun', async () => {
    const { files, held, answers } = stillDisk();
    const open = () => openSink(file, { path }, { seams: { ...systemSeams(), files } });
    const [first, second] = [await open(), await open()];
    await first.send(batchOf(first, numbered(1)), cutOff());
    await until(() => held.length === 1);
    await second.send(batchOf(second, numbered(1, 1)), cutOff());

    await Promise.all([first[Symbol.asyncDispose](), second[Symbol.asyncDispose]()]);
    answers();
    await using third = await open();
    await third.send(batchOf(third, numbered(1, 2)), never());

    expect(allLines()).toEqual([numbered(1)[0]?.body, numbered(1, 2)[0]?.body]);
  });

  it('leaves in doubt what a stop cuts off', async () => {
    const { files, answers } = stillDisk();
    await using sink = await openSink(file, { path }, { seams: { ...systemSeams(), files } });

    const answer = sink.send(batchOf(sink, numbered(1)), cutOff(new DOMException('the sink loop stops', 'AbortError')));

    await expect(answer).rejects.toThrow('the sink loop stops');
    answers();
  });
});

describe('rotated files', () => {
  const beside = (name: string): string => join(folder, 'out', name);
  const old = (day: string): string => `audit.202611${day}T000000.000Z.ndjson`;
  const rotated = { rotate: { size: '60B' }, compress_rotated: true };

  it('beyond keep_files go before others are compressed, and one that cannot be compressed keeps no other from it', async () => {
    mkdirSync(join(folder, 'out'));
    for (const day of ['01', '03']) writeFileSync(beside(old(day)), `${day}\n`);
    mkdirSync(beside(old('02')));
    await using sink = await openSink(file, { path, ...rotated, keep_files: 2 }, { seams: patient() });

    await sink.send(batchOf(sink, numbered(1)), never());
    await sink[Symbol.asyncDispose]();

    expect(rotatedIn()).toEqual([old('02'), `${old('03')}.gz`]);
  });

  it('are compressed before the sink is closed, as long as that moves', async () => {
    const own = systemSeams().files;
    const { seams, advance } = manualClock();
    let passedMs = 0;
    const closing = Promise.withResolvers<void>();
    // Less than a sink waits for what stands still; all of them are more.
    const slow = async (): Promise<void> => {
      await closing.promise;
      passedMs += 400;
      advance(400);
    };
    const files: Files = {
      ...own,
      open: async (...args: Parameters<Files['open']>) => {
        const handle = await own.open(...args);
        if (!String(args[0]).endsWith('.part')) return handle;
        const write = handle.write.bind(handle) as (...given: unknown[]) => Promise<unknown>;
        return Object.assign(handle, { write: async (...given: unknown[]) => (await slow(), await write(...given)) });
      },
    };
    mkdirSync(join(folder, 'out'));
    const random = Array.from({ length: 5000 }, () => `${Math.random()}${Math.random()}${Math.random()}`).join('\n');
    writeFileSync(beside(old('01')), `${random}\n`.repeat(3));
    await using sink = await openSink(file, { path, ...rotated }, { seams: { ...seams, files } });
    await sink.send(batchOf(sink, numbered(1)), never());

    const closed = sink[Symbol.asyncDispose]();
    closing.resolve();
    await closed;

    expect(rotatedIn()).toEqual([`${old('01')}.gz`]);
    expect(passedMs).toBeGreaterThan(2000);
  });

  it('are tidied up at each rotation and not at each attempt on a full disk, where half-made ones take no room', async () => {
    let isFull = false;
    let begun = 0;
    const own = systemSeams().files;
    const files: Files = {
      ...own,
      open: async (...args: Parameters<Files['open']>) => {
        const handle = await own.open(...args);
        if (String(args[0]).endsWith('.part')) begun += 1;
        const write = handle.write.bind(handle) as (...given: unknown[]) => Promise<unknown>;
        const full = async (bytes: Buffer, ...rest: unknown[]) => {
          if (!isFull) return await write(bytes, ...rest);
          await write(bytes.subarray(0, 1));
          throw fault('ENOSPC');
        };
        return Object.assign(handle, { write: full });
      },
    };
    await using sink = await openSink(file, { path, ...rotated }, { seams: patient(files) });
    await sink.send(batchOf(sink, numbered(1)), never());
    isFull = true;
    const batch = batchOf(sink, numbered(1, 1));

    for (let attempt = 0; attempt < 5; attempt += 1) await sink.send(batch, never());
    await until(() => begun === 1);
    isFull = false;
    const taken = await sink.send(batch, never());
    await sink[Symbol.asyncDispose]();

    expect({ begun, taken }).toEqual({ begun: 1, taken: { all: { kind: 'accept' } } });
    expect(rotatedIn().filter((name) => name.endsWith('.part'))).toEqual([]);
    expect(allLines()).toEqual(numbered(2).map(({ body }) => body));
  });
});

it('says which lines of a batch are safe when a rotation in the middle of it fails', async () => {
  let renames = 0;
  const files: Files = {
    ...systemSeams().files,
    rename: async (from, to) => {
      renames += 1;
      if (renames === 2) throw fault('ENOSPC');
      await fs.rename(from, to);
    },
  };
  await using sink = await openSink(file, { path, rotate: { size: '60B' } }, { seams: { ...systemSeams(), files } });

  const verdicts = (await sink.send(batchOf(sink, numbered(4)), never())) as Verdicts;

  expect(kindsOf(verdicts, 4)).toEqual(['accept', 'accept', 'retry', 'retry']);
  expect(allLines()).toEqual(numbered(2).map(({ body }) => body));
});

it('leaves a file alone in a probe, even with a torn line: the daemon may be writing it', async () => {
  await using sink = await openSink(file, { path });
  await sink.send(batchOf(sink, numbered(1)), never());
  appendFileSync(path, '{"being written');

  const report = await sink.probe(never());

  expect(report).toEqual({ ok: true, findings: [`${path} can be written (49 B so far)`] });
  expect(readFileSync(path, 'utf8')).toBe(`${line('e000000')}{"being written`);
});
