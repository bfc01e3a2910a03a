// The certificate of the port: read when the daemon starts, and used anew once its files say something else. One that cannot be used changes nothing.

import type { Server } from 'node:https';
import { sleep } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import { readUtf8 } from '../base/file-text.ts';
import type { Log } from '../base/log.ts';
import { Outage } from '../base/outage.ts';
import { pemFault } from '../base/pem.ts';
import type { Seams } from '../base/seams.ts';

export interface CertificateFiles {
  readonly cert_file: string;
  readonly key_file: string;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const lookEveryMs = 30_000;

/** Reads both files. Throws PEN_OPERATION_FAILED when they cannot be used. */
export async function readPair(tls: CertificateFiles, { files }: Pick<Seams, 'files'>): Promise<Pair> {
  const fail = (what: string, fix: string, cause?: unknown): PenstockError =>
    new PenstockError('PEN_OPERATION_FAILED', `the certificate cannot be used (${what})`, { where: 'admin.tls', fix, cause });
  const [cert, key] = await Promise.all([readUtf8(files, tls.cert_file), readUtf8(files, tls.key_file)]).catch(
    (cause: unknown) => {
      if (cause instanceof PenstockError) throw fail(`${cause.where}: ${cause.message}`, cause.fix ?? '', cause);
      const fix = 'name PEM files of a certificate and its key that the daemon can read';
      throw fail((cause as Error).message, fix, cause);
    },
  );
  const fault = pemFault({ cert, key });
  if (fault !== undefined) throw fail(`"${fault.part === 'key' ? tls.key_file : tls.cert_file}" ${fault.what}`, fault.fix);
  return { cert, key };
}

/** Looks at the files again and again; what is renewed in them serves the next connection. */
export function followPair(
  server: Server,
  tls: CertificateFiles,
  first: Pair,
  { seams, log }: { readonly seams: Seams; readonly log: Log },
): AsyncDisposable {
  const stop = new AbortController();
  const outage = new Outage(log, {
    begins: 'the files of admin.tls cannot be used; the certificate that was read before stays',
    ends: 'the files of admin.tls can be used again',
  });
  let used = first;

  async function look(): Promise<void> {
    const { cert, key } = await readPair(tls, seams);
    outage.worked();
    if (cert === used.cert && key === used.key) return;
    server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' });
    used = { cert, key };
    log.info('the certificate of admin.tls was renewed');
  }

  async function loop(): Promise<void> {
    for (;;) {
      await sleep(seams.clock, lookEveryMs, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      await look().catch((error: unknown) => outage.failed(error));
    }
  }

  const looping = loop();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looping;
    },
  };
}
