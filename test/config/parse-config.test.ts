import { expect, it } from 'vitest';
import { parseConfig, parseTop } from '../../src/config/parse-config.ts';

const top = { journal: { url: 'postgres://penstock@db/a' } };

it.each([
  ['mappings', 'sources:\n  a:\n    connector: okta\n\n# more\nsinks:\n  b: { type: file }\n'],
  ['lines of Windows', 'sources:\r\n  a:\r\n    connector: okta\r\n\r\n'],
  ['a comment behind the name', 'sources: # all of them\n\ta: broken by a tab\n'],
])('reads what stands beside sources and sinks without them: %s', (_, blocks) => {
  const { value, faults } = parseTop(`${blocks}journal:\n  url: postgres://penstock@db/a\n`, 'penstock.yaml');

  expect({ value, faults }).toMatchObject({ value: top, faults: [] });
});

it.each([
  ['an anchor that is set anew inside', 'data_dir: &d ./a\nsources:\n  x: { description: &d ./b }\njournal: { url: *d }\n'],
  ['an anchor that stands inside alone', 'sources:\n  x: { description: &u ./b }\njournal:\n  url: *u\n'],
  ['a merged block', 'sources:\n  x: &x { schedule: 5m }\njournal:\n  <<: *x\n'],
])('says the same as the whole file where that has %s', (_, text) => {
  const { value } = parseTop(text, 'penstock.yaml');

  expect(value).toEqual(parseConfig(text, 'penstock.yaml').value);
});
