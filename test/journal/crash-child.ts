// A process that collects and delivers until it is killed: it prints what it was promised, one line each, after the promise.
import { writeSync } from 'node:fs';
import { openJournal } from '../../src/journal/index.ts';
import { commitOf, idsOfPage, journalOptions, sink, someRecords, source } from './records.ts';

const dataDir = process.argv[2] ?? '';
const journal = await openJournal(journalOptions(dataDir, { lockWaitMs: 10_000, keepMs: 0 }));
await journal.register([source('s')], [sink('a')]);
const from = Number((await journal.checkpoint('s', 'live')) ?? 0);

async function collect(): Promise<void> {
  for (let page = from + 1; ; page++) {
    const records = someRecords(50, { prefix: `p${page}-`, received: Date.now() });
    const seen = idsOfPage(page);
    await journal.append({ ...commitOf('s', records), seen, checkpoint: { name: 'live', value: page } });
    writeSync(1, `appended ${page}\n`);
  }
}

async function deliver(): Promise<void> {
  for (;;) {
    const [lane] = await journal.lanes('a');
    if (lane === undefined) {
      await journal.changed(AbortSignal.timeout(1000));
      continue;
    }
    const pages = await journal.read('a', lane.lane, lane.offset, 60);
    for (const { records, positions } of pages) {
      const last = positions.at(-1);
      if (last === undefined) continue;
      writeSync(1, `delivered ${records.map(({ uid }) => uid).join(' ')}\n`);
      await journal.settle('a', lane.lane, last, [], { acknowledged: records.length });
      writeSync(1, `settled ${last}\n`);
    }
  }
}

await Promise.all([collect(), deliver()]);
