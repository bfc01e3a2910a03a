import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { isBusy } from '../../src/base/file-turns.ts';
import { openLog } from '../../src/base/log.ts';
import { validityOf } from '../../src/base/pem.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import type { Config } from '../../src/config/config.ts';
import { endingCertificates, watchCertificates } from '../../src/daemon/certificates.ts';
import { makeCertificates } from '../http/certificates.ts';
import { virtualClock } from '../virtual-clock.ts';

const hour = 3_600_000;
const minute = 60_000;

/** Certificates that live for three days, of which a moment is so far from the end of them. */
function certificates(leftMs: number) {
  const made = makeCertificates();
  onTestFinished(() => made[Symbol.dispose]());
  const end = validityOf(made.read('client.pem'))[0]?.to ?? 0;
  const clock = virtualClock(end - leftMs);
  const when = new Date(end).toISOString().slice(0, 16).replace('T', ' ');
  const tls = { ca_file: made.path('ca.pem'), cert_file: made.path('client.pem'), key_file: made.path('client.key') };
  return { made, clock, when, tls, seams: { ...systemSeams(), clock } };
}

const block = (name: string, tls?: object, enabled = true) => ({ name, enabled, http: { tls } });

function configOf(change: object): Config {
  const none = { sources: [], sinks: [], admin: { listen: undefined }, journal: { database: undefined } };
  return { ...none, ...change } as unknown as Config;
}

it.each([
  { left: 19 * hour, said: [] },
  { left: 17 * hour, said: ['warning the client certificate in FILE expires on WHEN UTC, in 17h'] },
  { left: -hour, said: ['error the client certificate in FILE expired on WHEN UTC'] },
])('tells of a client certificate with $left ms left of three days', async ({ left, said }) => {
  const { tls, when, seams } = certificates(left);
  const { cert_file, key_file } = tls;

  const found = await endingCertificates(configOf({ sinks: [block('soc', { cert_file, key_file })] }), seams);

  expect(found.map(({ level, what }) => `${level} ${what}`)).toEqual(
    said.map((text: string) => text.replace('FILE', cert_file).replace('WHEN', when)),
  );
});

it('tells two weeks ahead of one that lives for long', async () => {
  const { tls, seams, clock } = certificates(hour);
  const found = async (leftMs: number) => {
    const long = { ...seams.files, readFile: () => Promise.resolve(longLived) } as unknown as typeof seams.files;
    const end = validityOf(longLived)[0]?.to ?? 0;
    const at = { ...clock, now: () => end - leftMs };
    return (
      await endingCertificates(configOf({ sinks: [block('soc', { cert_file: tls.cert_file })] }), { clock: at, files: long })
    ).length;
  };

  expect([await found(14 * 24 * hour + minute), await found(14 * 24 * hour - minute)]).toEqual([0, 1]);
});

it('looks at sources, sinks, the port and the database, with what to do about each', async () => {
  const { tls, seams } = certificates(hour);
  const { ca_file, cert_file, key_file } = tls;
  const config = configOf({
    sources: [block('feed', { ca_file }), block('off', { ca_file }, false), block('plain')],
    sinks: [block('soc', tls)],
    admin: { listen: { host: '0.0.0.0', port: 1 }, tls: { cert_file, key_file } },
    journal: { database: { caFile: ca_file } },
  });

  const found = await endingCertificates(config, seams);

  const renew = 'put the renewed certificate and its key into the same files';
  const add = 'add the new authority to the file before the other side has a certificate of it, then: penstock reload';
  expect(found.map(({ where, what, fix }) => [where, what.split(' in ')[0], fix])).toEqual([
    ['source feed', 'the authority', add],
    ['sink soc', 'the client certificate', `${renew}, then: penstock reload`],
    ['sink soc', 'the authority', add],
    ['daemon', 'the certificate of the port', `${renew}: they are used within half a minute`],
    ['journal', 'the authority', add],
  ]);
});

it('takes the first end of a chain, and of authorities the last: an old one stays beside its successor', async () => {
  const { made, tls, seams } = certificates(hour);
  const both = made.path('both.pem');
  writeFileSync(both, made.read('client.pem') + longLived);
  const config = configOf({
    sinks: [block('chain', { cert_file: both, key_file: tls.key_file }), block('bundle', { ca_file: both })],
  });

  const found = await endingCertificates(config, seams);

  expect(found.map(({ where }) => where)).toEqual(['sink chain']);
});

it('says nothing of a file that cannot be read: whoever uses it does', async () => {
  const { made, seams } = certificates(hour);
  writeFileSync(made.path('none.pem'), 'no certificate');
  const config = configOf({
    sinks: [block('gone', { ca_file: made.path('gone.pem') }), block('none', { ca_file: made.path('none.pem') })],
  });

  expect(await endingCertificates(config, seams)).toEqual([]);
});

it('waits for no file whose disk stands still, and keeps one call on it under way', async () => {
  const { made, tls, seams, clock } = certificates(hour);
  const asked: string[] = [];
  const stuck = made.path('stuck.pem');
  const disk = Promise.withResolvers<string>();
  const readFile = (path: string) => {
    asked.push(path);
    return path === stuck ? disk.promise : Promise.resolve(made.read('ca.pem'));
  };
  const files = { readFile } as unknown as typeof seams.files;
  const config = configOf({ sinks: [block('share', { ca_file: stuck }), block('soc', { ca_file: tls.ca_file })] });
  const look = () => clock.until(endingCertificates(config, { clock, files }));

  const found = [await look(), await look()];

  expect(found.map((problems) => problems.map(({ where }) => where))).toEqual([['sink soc'], ['sink soc']]);
  expect(asked).toEqual([stuck, tls.ca_file, tls.ca_file]);
  // The turns of files are those of the whole process, in which other tests follow.
  disk.resolve('');
  await expect.poll(() => isBusy(stuck)).toBe(false);
});

it('logs a file once for all that use it, again once it has ended, and no more once it is renewed', async () => {
  const { made, tls, seams, clock } = certificates(2 * minute + 30_000);
  const lines: { msg: string; level: number; what: string }[] = [];
  const log = openLog('info', { write: (line: string) => void lines.push(JSON.parse(line)) }, createSecrets());
  const { cert_file, key_file } = tls;
  const config = configOf({ sources: [block('a', { cert_file, key_file }), block('b', { cert_file, key_file })] });

  let text = made.read('client.pem');
  const files = { readFile: () => Promise.resolve(text) } as unknown as typeof seams.files;
  const watching = watchCertificates(() => config, { seams: { ...seams, files }, log });
  for (let minutes = 0; minutes < 5; minutes += 1) await clock.advance(minute);
  text = longLived;
  for (let minutes = 0; minutes < 3; minutes += 1) await clock.advance(minute);
  await clock.until(watching[Symbol.asyncDispose]());

  expect(lines.map(({ msg, level, what }) => [level, msg, / expire[sd] /.exec(what)?.[0]])).toEqual([
    [40, 'a certificate ends', ' expires '],
    [50, 'a certificate ends', ' expired '],
  ]);
});

// Signed itself, for a hundred years.
const longLived = readFileSync(new URL('long-lived.pem', import.meta.url), 'utf8');
