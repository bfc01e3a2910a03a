// What is counted as unreadable at collection and what goes out with that label are the same records.
import { assert, constantFrom, dictionary, jsonValue, oneof, property, toStringMethod } from 'fast-check';
import { expect, it } from 'vitest';
import { parseJson } from '../../src/base/json.ts';
import { systemSeams } from '../../src/base/seams.ts';
import type { Connector } from '../../src/connectors/connector.ts';
import { loadConnectors } from '../../src/connectors/index.ts';
import { fewOrMany } from '../thorough.ts';
import { shippedConnectors } from './open-source.ts';

const shipped = await loadConnectors({ dirs: [shippedConnectors], files: systemSeams().files });
// A counterexample names the connector instead of printing it.
const connectors = [...shipped.values()].map((connector) => ({ ...connector, [toStringMethod]: () => connector.name }));
const names = ['action_key', 'action', 'eventType', 'event_type', 'type', 'occurred_at', 'timestamp', 'eventTime'];
const odd = [
  '""',
  '" "',
  '"\\t"',
  'null',
  'true',
  '17',
  '"17"',
  '{}',
  '[]',
  '["login"]',
  '{"a":1}',
  '"登录"',
  '12345678901234567890',
];
const page = { source: 'acme', tenant: 't', labels: [], processedTime: 1 };

/** What the record counts as, beside what its event says. */
function bothOf({ records, mapper }: Connector, text: string): [boolean, boolean] {
  const facts = records.examine({ value: parseJson(text) }, 't');
  const unreadable = facts.unreadable === undefined ? {} : { unreadable: facts.unreadable };
  const { event } = mapper.map({ uid: facts.uid, received: 1, record: facts.record, ...unreadable }, page);
  return [
    facts.unreadable !== undefined || facts.actionKey === undefined,
    event.metadata.labels?.includes('unreadable') === true,
  ];
}

it('counts as unreadable exactly what goes out with that label, whatever stands where the action should', () => {
  const member = oneof(
    constantFrom(...odd),
    jsonValue({ maxDepth: 1 }).map((value) => JSON.stringify(value)),
  );
  const object = dictionary(constantFrom(...names), member).map(
    (members) =>
      `{${Object.entries(members)
        .map(([name, value]) => `"${name}":${value}`)
        .join()}}`,
  );

  assert(
    property(constantFrom(...connectors), oneof(object, member), (connector, text) => {
      const [counted, labelled] = bothOf(connector, text);

      expect(counted).toBe(labelled);
    }),
    { numRuns: fewOrMany(250, 10_000) },
  );
});

it.each([
  ['anaconda', '{"id":"1","occurred_at":"2026-11-20T10:00:00Z"}', true],
  ['anaconda', '{"id":"1","action_key":" "}', true],
  ['anaconda', '{"id":"1","action_key":12345678901234567890}', false],
  ['astra-stream', '{"eventType":{},"event_type":"CREATE_ROLE"}', false],
  ['analyst-studio', '["login"]', true],
])('%s: %s is unreadable: %s', (name, text, expected) => {
  const connector = shipped.get(name) as Connector;

  expect(bothOf(connector, text)).toEqual([expected, expected]);
});
