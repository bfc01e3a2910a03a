import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/base/package.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { Mappers } from '../../src/runtime/mappers.ts';

const okta = await loadConnector('okta', { dirs: [join(packageRoot, 'connectors')], files: systemSeams().files });

const mapperOf = (text: string | undefined) => {
  const journal = { connectorText: () => Promise.resolve(text) } as unknown as Journal;
  return new Mappers(journal).mapperFor({ name: 'okta', hash: okta.hash }, 'gone');
};

it('maps the records of a source that is gone with the connector that they were stored with', async () => {
  expect(await mapperOf(okta.text)).toBeDefined();
});

it('maps nothing with a stored connector that was changed', async () => {
  const changed = okta.text.replace('actor.id', 'actor.alternateId');

  await expect(mapperOf(changed)).rejects.toMatchObject({
    code: 'PEN_JOURNAL_CORRUPT',
    message: expect.stringMatching(new RegExp(`^connector okta in the journal is version [0-9a-f]{16}, not ${okta.hash}$`)),
  });
});

it('says what to do where the journal has no such connector', async () => {
  await expect(mapperOf(undefined)).rejects.toMatchObject({ code: 'PEN_NOT_FOUND', fix: 'configure a source of connector okta' });
});
