import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const src = resolve(import.meta.dirname, '../../src');
const texts = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(src, name), 'utf8') }));

const table = texts.find(({ name }) => name === 'base/errors.ts')?.text ?? '';
const others = texts.filter(({ name }) => name !== 'base/errors.ts').map(({ text }) => text);

it('lists no consequence of an error that nothing acts on', () => {
  const rows = table.slice(table.indexOf('const codes'), table.indexOf('} as const satisfies'));
  const listed = new Set([...rows.matchAll(/(\w+): '(\w+)'/g)].map(([, field, value]) => `${field} ${value}`));
  const acted = new Set(
    others
      .flatMap((text) => [...text.matchAll(/\b(walk|source|sink|request|stream)\b [!=]== '(\w+)'/g)])
      .map(([, field, value]) => `${field} ${value}`),
  );

  expect([...listed].filter((consequence) => !acted.has(consequence))).toEqual([]);
});

it('decides by the table: a code is compared only to tell what happened, not what to do about it', () => {
  const compared = others.flatMap((text) => [...text.matchAll(/\bcode [!=]== '(PEN_\w+)'/g)]).map(([, code]) => code);

  expect(new Set(compared)).toEqual(
    new Set([
      // Admitting cuts what it commits into smaller parts.
      'PEN_JOURNAL_FULL',
      // Who asks for something learns that it is not there.
      'PEN_NOT_FOUND',
      // Another process has the journal: the request goes to that one.
      'PEN_JOURNAL_LOCKED',
      // Repairing reads what it can.
      'PEN_JOURNAL_CORRUPT',
      // The loop of a source that another replica owns now ends.
      'PEN_JOURNAL_FENCED',
      // What got no answer is asked again as the same attempt.
      'PEN_JOURNAL_UNAVAILABLE',
      // A file that is being edited keeps nobody from the journal.
      'PEN_CONFIG_INVALID',
      // A database that went back fits no settle: its source begins anew.
      'PEN_INTERNAL',
      // A cursor, or the list before the details, begins anew.
      'PEN_PAGE_TOKEN_REFUSED',
      // A first page that is too large shrinks its window, which no other fault of a first page does.
      'PEN_HTTP_TOO_LARGE',
      // A page in a success that says so counts until it is the third in a row.
      'PEN_WINDOW_TOO_LARGE',
      // A receiver's status is believed although its answer was cut off.
      'PEN_HTTP_RESET',
      'PEN_HTTP_UNREACHABLE',
      // Credentials are read again before the next poll.
      'PEN_SOURCE_REFUSED',
    ]),
  );
});
