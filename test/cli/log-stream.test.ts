import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { LogStream } from '../../src/cli/log-stream.ts';
import { virtualClock } from '../virtual-clock.ts';

const [noon, time] = [1_795_780_800_000, '2026-11-27T12:00:00.000Z'];

async function openFile() {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-log-'));
  const path = join(folder, 'log');
  const fd = openSync(path, 'a');
  onTestFinished(async () => {
    closeSync(fd);
    await rm(folder, { recursive: true });
  });
  return { fd, text: () => readFileSync(path, 'utf8') };
}

/** A pipe whose reader does what a test says. */
async function pipe() {
  // Any descriptor that is no file.
  const fd = openSync('/dev/null', 'w');
  onTestFinished(() => closeSync(fd));
  const stream = new PassThrough({ highWaterMark: 1 });
  return { stream, log: new LogStream(Object.assign(stream, { fd }), virtualClock(noon)) };
}

it('writes lines to a file as they are', async () => {
  const { fd, text } = await openFile();
  const log = new LogStream(Object.assign(new PassThrough(), { fd }), virtualClock(noon));

  log.write('one\n');
  log.write('two\n');

  expect([text(), log.loss]).toEqual(['one\ntwo\n', undefined]);
});

it('counts lines that a disk has no room for, and says so once it has', async () => {
  const { fd, text } = await openFile();
  const disk = { isFull: true };
  const write = ((to: number, bytes: Buffer) => {
    if (disk.isFull) throw new Error('ENOSPC: no space left on device, write');
    return writeSync(to, bytes);
  }) as typeof writeSync;
  const log = new LogStream(Object.assign(new PassThrough(), { fd }), virtualClock(noon), write);

  log.write('one\n');
  log.write('two\n');
  const lost = log.loss;
  disk.isFull = false;
  log.write('three\n');

  const line = { level: 40, time, since: time, lines: 2, reason: 'ENOSPC: no space left on device, write' };
  expect(lost).toEqual({ since: noon, lines: 2, reason: line.reason });
  expect(text()).toBe(`\n${JSON.stringify({ ...line, msg: 'lines of the log could not be written and are lost' })}\nthree\n`);
  expect(log.loss).toBeUndefined();
});

it('outlives whoever reads it', async () => {
  const { stream, log } = await pipe();

  stream.destroy(new Error('write EPIPE'));
  await new Promise((closed) => stream.on('close', closed));
  for (let lines = 0; lines < 3; lines += 1) log.write('line\n');

  expect(log.loss).toEqual({ since: noon, lines: 4, reason: 'write EPIPE' });
});

it('keeps a mebibyte for a reader who stands still, and goes on once that is read', async () => {
  const { stream, log } = await pipe();
  const line = `${'x'.repeat(1023)}\n`;

  for (let lines = 0; lines < 1100; lines += 1) log.write(line);
  const { lines = 0 } = log.loss ?? {};
  stream.resume();
  await expect.poll(() => stream.writableLength).toBe(0);
  log.write('after\n');

  expect(lines).toBeGreaterThan(50);
  expect(log.loss).toBeUndefined();
});
