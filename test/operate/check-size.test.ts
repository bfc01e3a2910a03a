// What a check says of the size of events: against the journal where there is one, else against the samples of the connectors.
import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { LargestEvent } from '../../src/deliver/report/largest-event.ts';
import { check, type Finding } from '../../src/operate/check.ts';
import { describeSize } from '../../src/operate/largest-event.ts';
import { openConfiguredJournal } from '../../src/runtime/configured-journal.ts';
import { plainUserAgent } from '../../src/runtime/open-runtime.ts';
import { readConfig } from '../../src/runtime/read-config.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { listen } from '../sinks/receiver.ts';

const seams = systemSeams();

async function configFor(sink: string): Promise<string> {
  const folder = await fs.mkdtemp(join(os.tmpdir(), 'penstock-check-'));
  onTestFinished(() => fs.rm(folder, { recursive: true }));
  const file = join(folder, 'penstock.yaml');
  await fs.mkdir(join(folder, 'downloads'));
  await fs.writeFile(
    file,
    `data_dir: ./data
sources:
  astra: { connector: astra-csv, options: { directory: ./downloads, org_id: d04d1eb2-6a52-483e-ab16-faaad3d077a9 }, schedule: 10m }
sinks:
  soc: ${sink}
`,
  );
  return file;
}

async function findingOf(file: string): Promise<Finding | undefined> {
  const config = await readConfig(file, seams);
  const context = { seams, log: silentLog(), userAgent: plainUserAgent, secrets: config.secrets };
  for await (const finding of check(config, context, new AbortController().signal)) if (finding.kind === 'sink') return finding;
  return undefined;
}

async function noteLargest(file: string, bytes: number): Promise<void> {
  const config = await readConfig(file, seams);
  await using journal = await openConfiguredJournal(config, { seams, log: silentLog() });
  await journal.setNote('', 'largest_event:soc', { bytes, format: 'ocsf' });
}

it('measures the samples while the sink has met no event', async () => {
  await using receiver = await listen((socket) => void socket.on('end', () => socket.end()));
  const file = await configFor(`{ type: syslog, address: "tcp://127.0.0.1:${receiver.port}", max_message: 500KB }`);

  const finding = await findingOf(file);

  expect(finding?.ok).toBe(true);
  expect(finding?.findings.join('\n')).toMatch(/the largest sample has [\d,]+ bytes; above 8,192 rsyslog cuts a message/);
});

it('warns of every limit of receivers that the largest event is above', async () => {
  await using receiver = await listen((socket) => void socket.on('end', () => socket.end()));
  const file = await configFor(`{ type: syslog, address: "tcp://127.0.0.1:${receiver.port}", max_message: 500KB }`);
  await noteLargest(file, 19_000);

  const finding = await findingOf(file);

  expect(finding?.ok).toBe(true);
  expect(finding?.findings.slice(-3)).toEqual([
    'warning: the largest event so far has 19,000 bytes; above 4,096 QRadar cuts a message (maximum TCP payload): raise "Max TCP Syslog Payload Length" there',
    'warning: the largest event so far has 19,000 bytes; above 8,192 rsyslog cuts a message (maxMessageSize = 8k) and takes it all the same: set global(maxMessageSize="64k") there, and maxDataSize of imrelp',
    'the largest event so far has 19,000 bytes; above 65,536 syslog-ng cuts a message (log-msg-size) and takes it all the same',
  ]);
});

it('fails where the largest event is more than the sink sends', async () => {
  await using receiver = await listen((socket) => void socket.on('end', () => socket.end()));
  const file = await configFor(`{ type: syslog, address: "tcp://127.0.0.1:${receiver.port}" }`);
  await noteLargest(file, 19_000);

  const finding = await findingOf(file);

  expect(finding?.ok).toBe(false);
  expect(finding?.findings.at(-1)).toBe(
    'the largest event so far has 19,000 bytes, the sink sends at most 8,162: such events become dead letters too_large',
  );
});

it('names the limits also where no size is known', () => {
  const limit = { bytes: 10_000, says: 'Splunk cuts', fix: 'raise it' };

  expect(describeSize(undefined, { maxEventBytes: 20_000, receiverLimits: [limit] })).toEqual({
    findings: ['above 10,000 bytes Splunk cuts'],
  });
});

it('keeps the largest size over restarts, until the format changes', async () => {
  const journal = memoryJournal();
  const meet = async (bytes: number, format: 'ocsf' | 'cef' = 'ocsf'): Promise<unknown> => {
    const largest = new LargestEvent(journal, silentLog(), { name: 'soc', format });
    largest.saw(bytes);
    await largest.report();
    return await journal.note('', 'largest_event:soc');
  };

  expect([await meet(5000), await meet(3000), await meet(9000), await meet(700, 'cef')]).toEqual([
    { bytes: 5000, format: 'ocsf' },
    { bytes: 5000, format: 'ocsf' },
    { bytes: 9000, format: 'ocsf' },
    { bytes: 700, format: 'cef' },
  ]);
});
