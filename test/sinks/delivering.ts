import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { startDelivery } from '../../src/deliver/index.ts';
import type { SinkLoop } from '../../src/deliver/loop.ts';
import type { TlsSettings } from '../../src/http/client.ts';
import { openHttpClient } from '../../src/http/index.ts';
import type { Sink, SinkContext } from '../../src/sinks/sink.ts';
import type { SinkSettings } from '../../src/sinks/sink-settings.ts';
import { demoMapper, settingsOf } from '../deliver/harness.ts';
import type { MemoryJournal } from '../journal/memory-journal.ts';

export const live = { kind: 'live', source: 'acme' } as const;

export interface Delivering extends AsyncDisposable {
  readonly loop: SinkLoop;
  /** Waits until nothing is pending; false when four minutes of the machine's clock pass. */
  drained(): Promise<boolean>;
}

/** A started loop from a journal in memory to a real sink over a real client, on the machine's clock with short pauses where none is given. */
export function deliver(
  journal: MemoryJournal,
  open: (context: SinkContext) => Sink | Promise<Sink>,
  over: {
    readonly settings?: Partial<SinkSettings>;
    readonly tls?: TlsSettings;
    readonly secrets?: readonly string[];
    readonly clock?: Clock;
  } = {},
): Delivering {
  const { clock = systemSeams().clock } = over;
  const seams = { ...systemSeams(), clock };
  const secrets = createSecrets();
  for (const secret of over.secrets ?? []) secrets.add(secret);
  const openSink = async (): Promise<Sink> => {
    const http = await openHttpClient(
      { userAgent: 'penstock-test/1', ...(over.tls === undefined ? {} : { tls: over.tls }) },
      seams,
      {},
    );
    const context = {
      name: 'out',
      http,
      seams,
      log: silentLog(),
      hostname: 'collector-1',
      version: '1.2.3',
      format: 'ocsf',
    } as const;
    const sink = await open(context);
    return {
      ...sink,
      async [Symbol.asyncDispose]() {
        await sink[Symbol.asyncDispose]();
        await http[Symbol.asyncDispose]();
      },
    };
  };
  const settings = settingsOf({
    batch: { events: 500, bytes: 1_000_000, waitMs: 0 },
    backoffMaxMs: 40,
    holdProbeMs: 30,
    ...over.settings,
  });
  const loop = startDelivery(settings, {
    journal,
    seams,
    log: silentLog(),
    secrets,
    openSink,
    mapperFor: () => Promise.resolve(demoMapper()),
  });
  loop.start();
  return {
    loop,
    drained: () => loop.drained(AbortSignal.timeout(240_000)),
    [Symbol.asyncDispose]: () => loop.stop(0),
  };
}

/** Resolves when the condition holds; looks every few milliseconds, fails after four. */
export async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 240_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error('the condition did not come true within four minutes');
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
