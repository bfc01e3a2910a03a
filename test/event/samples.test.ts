import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formats } from '../../src/event/event.ts';
import { encodeBody } from '../../src/event/index.ts';
import { deprecatedIn, faultsOf } from '../ocsf/faults.ts';
import { fewOrMany } from '../thorough.ts';
import { connectorNames, envelopeOf, loadConnector } from './load-connector.ts';

const page = { source: 'acme', tenant: 'd04d1eb2-6a52-483e-ab16-faaad3d077a9', labels: [], processedTime: 1_795_000_000_000 };
const loaded = new Map(connectorNames.map((name) => [name, loadConnector(name)]));
const samples = connectorNames.flatMap((name) => {
  const connector = loadConnector(name);
  return connector.samples.map((record) => {
    const mapped = connector.mapper.map(envelopeOf(connector, record, page.tenant), page);
    return { name, action: String(mapped.event.metadata.event_code), record, mapped };
  });
});

it.each(connectorNames)('has one sample for every action of %s, in the order of the table', (name) => {
  const connector = loaded.get(name);

  const actions = samples.filter((sample) => sample.name === name).map(({ mapped }) => mapped.action?.key);

  expect(actions).toEqual(connector?.table.actions.map(({ row }) => row.key));
});

it('has the rows of every published action list', () => {
  expect([...loaded.values()].map(({ table }) => table.actions.length)).toEqual([35, 50, 30]);
});

it.each(samples)('maps $name $action to a class of its row', ({ mapped, name }) => {
  const action = loaded.get(name)?.table.find(mapped.actionKey ?? '');
  const types = [action, ...(action?.variants ?? [])].map((shape) => shape?.head.type_uid);

  expect(types).toContain(mapped.event.type_uid);
});

describe('against OCSF', () => {
  it.each(samples)('$name $action is a valid event', ({ mapped }) => {
    const event = JSON.parse(encodeBody('ocsf', mapped, { includeRaw: true })) as unknown;

    expect(faultsOf(event)).toEqual([]);
  });

  it('writes no deprecated attribute', () => {
    const found = samples.flatMap(({ mapped }) =>
      deprecatedIn(JSON.parse(encodeBody('ocsf', mapped, { includeRaw: true }))).map(
        (path) => `${mapped.event.class_uid} ${path}`,
      ),
    );

    expect(found).toEqual([]);
  });

  it('stays valid whatever address, e-mail, id or time a record tells', () => {
    const studio = loaded.get('analyst-studio');
    const anaconda = loaded.get('anaconda');
    const odd = fc.oneof(fc.string({ unit: 'grapheme' }), fc.emailAddress(), fc.integer(), fc.constant(null), fc.constant({}));
    const address = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV6().map((ip) => `${ip}%eth0`),
      fc.ipV4().map((ip) => `::ffff:${ip}`),
      odd,
    );
    const row = fc.nat({ max: 34 });

    fc.assert(
      fc.property(row, address, odd, odd, odd, (index, ip, email, id, type) => {
        const first = {
          ...studio?.samples[index],
          actor: { ip, user_id: id, username: email },
          entity: { entity_id: id, entity_type: type },
        };
        const second = {
          ...anaconda?.samples[index],
          actor_email: email,
          actor_type: type,
          target_email: email,
          target_id: id,
          target_type: type,
          occurred_at: id,
        };
        const events = [
          studio?.mapper.map({ uid: 'u', received: 1, record: first }, page).event,
          anaconda?.mapper.map({ uid: 'u', received: 1, record: second }, page).event,
        ];

        expect(
          events.flatMap((event) => (event === undefined ? ['no event'] : faultsOf(JSON.parse(JSON.stringify(event))))),
        ).toEqual([]);
      }),
      { numRuns: fewOrMany(100, 2000) },
    );
  });
});

it.each(formats)('encodes every sample as one line of %s', (format) => {
  const lines = samples.map(({ mapped }) => encodeBody(format, mapped, { includeRaw: true }));

  expect(lines.filter((line) => line === '' || /[\r\n]/.test(line))).toEqual([]);
});

it('lets no secret of a sample out in any format', () => {
  const lines = samples.flatMap(({ mapped }) => formats.map((format) => encodeBody(format, mapped, { includeRaw: true })));

  expect(lines.filter((line) => line.includes('invented-secret') || line.includes('AstraCS:'))).toEqual([]);
});
