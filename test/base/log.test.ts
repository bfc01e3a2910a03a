import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { openLog, setLogLevel } from '../../src/base/log.ts';
import { createSecrets } from '../../src/base/secrets.ts';

const secret = 's3cr3t-value/0123456789';

function logging() {
  const lines: string[] = [];
  const secrets = createSecrets();
  secrets.add(secret);
  const log = openLog('debug', { write: (line) => void lines.push(line) }, secrets);
  return { log, secrets, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

it('keeps every line small, whatever somebody outside named something', () => {
  const { log, lines, parsed } = logging();
  const long = 'x'.repeat(10_000_000);

  log.warn(
    { a: long, [long]: 1, list: Array.from({ length: 100_000 }, () => 'y'), deep: { a: { b: { c: { d: { e: { f: 1 } } } } } } },
    'm',
  );
  log.warn({ err: new PenstockError('PEN_INTERNAL', long, { fix: long, cause: new Error(long) }) }, 'm');
  log.warn({ err: new Error(long) }, 'm');

  expect(lines.every(({ length }) => length < 12_000)).toBe(true);
  expect(parsed()[0]).toMatchObject({
    a: `${'x'.repeat(1999)}…`,
    [`${'x'.repeat(199)}…`]: 1,
    deep: { a: { b: { c: { d: { e: '…' } } } } },
  });
  expect(parsed()[1]).toMatchObject({ err: { code: 'PEN_INTERNAL', message: `${'x'.repeat(1999)}…` } });
});

it.each(['","msg":"', '1764', 'true', 'level', ':{"a'])('stays JSON where a secret stands in it by chance: %s', (text) => {
  const { log, secrets, parsed } = logging();
  secrets.add(text);

  log.warn({ since: 1_764_539_267_000, isOver: true, other: { a: `${secret} and ${text}` } }, 'm');

  expect(parsed()[0]).toMatchObject({ msg: 'm', other: { a: '[REDACTED] and [REDACTED]' } });
});

it('describes an error by its code, place, fix, status and cause', () => {
  const { log, parsed } = logging();
  const cause = new Error(`refused ${secret}`);

  log.warn(
    { err: new PenstockError('PEN_SOURCE_REFUSED', 'no', { where: 'source a', fix: 'renew it', status: 401, cause }) },
    'm',
  );
  log.error(new Error('bad'), 'm');

  expect(parsed()[0]?.['err']).toEqual({
    code: 'PEN_SOURCE_REFUSED',
    message: 'no',
    where: 'source a',
    fix: 'renew it',
    status: 401,
    cause: 'refused [REDACTED]',
  });
  expect(parsed()[1]?.['err']).toMatchObject({
    type: 'Error',
    message: 'bad',
    stack: expect.stringContaining('log.test.ts') as string,
  });
});

it('takes secrets out before it cuts, and what is left steers no terminal', () => {
  const { log, lines, parsed } = logging();

  log.child({ who: secret }).warn({ a: `${'x'.repeat(1990)}${secret}`, [secret]: '\u009b31m\u202e' }, 'm');

  expect(parsed()[0]).toMatchObject({ who: '[REDACTED]', a: `${'x'.repeat(1990)}[REDACTED]`, '[REDACTED]': '\ufffd31m\ufffd' });
  expect(lines[0]).not.toMatch(/[\u007f-\u009f]|\p{Cf}/u);
});

it('changes the level of loggers that were bound before', () => {
  const { log, parsed } = logging();
  const child = log.child({ source: 'acme' }).child({ job: 1 });

  setLogLevel(log, 'warn');
  child.info('hidden');
  child.warn('shown');
  setLogLevel(log, 'trace');
  child.trace('shown too');
  setLogLevel(log, 'silent');
  child.fatal('hidden');

  expect(parsed().map(({ msg }) => msg)).toEqual(['shown', 'shown too']);
});
