import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formats } from '../../src/event/event.ts';
import { encodeBody } from '../../src/event/index.ts';
import { connectorNames, envelopeOf, loadConnector } from './load-connector.ts';

// The class schemas are reference data that does not belong to this repository.
const ocsf = resolve(import.meta.dirname, '../../../shared/ocsf');
const hasSchemas = existsSync(ocsf);

function schemaFiles(): Map<number, string> {
  const files = readdirSync(ocsf).filter((name) => name.endsWith('.schema.json'));
  return new Map(files.map((name) => [classOf(readFileSync(resolve(ocsf, name), 'utf8')), name]));
}

function classOf(text: string): number {
  const schema = JSON.parse(text) as { properties: { class_uid: { const?: number; enum?: number[] } } };
  return schema.properties.class_uid.const ?? schema.properties.class_uid.enum?.[0] ?? -1;
}

const validators = new Map<number, ValidateFunction>();

/** Faults of an event in words; empty when it is valid. Compiling a class takes a good while, so it is done once. */
function faultsOf(event: { readonly class_uid: number }): string[] {
  let validate = validators.get(event.class_uid);
  if (validate === undefined) {
    const file = schemaFiles().get(event.class_uid);
    if (file === undefined) return [`no schema for class ${event.class_uid}`];
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    validate = ajv.compile(JSON.parse(readFileSync(resolve(ocsf, file), 'utf8')) as object);
    validators.set(event.class_uid, validate);
  }
  return validate(event)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

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

describe.skipIf(!hasSchemas)(
  `against the OCSF class schemas${hasSchemas ? '' : ' (skipped: ../shared/ocsf is not here)'}`,
  () => {
    it.each(samples)('$name $action is a valid event', ({ mapped }) => {
      const event = JSON.parse(encodeBody('ocsf', mapped, { includeRaw: true })) as { class_uid: number };

      expect(faultsOf(event)).toEqual([]);
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
            events.flatMap((event) =>
              event === undefined ? ['no event'] : faultsOf(JSON.parse(JSON.stringify(event)) as typeof event),
            ),
          ).toEqual([]);
        }),
        { numRuns: 400 },
      );
    });

    const examples = (kind: string) =>
      (hasSchemas ? readdirSync(resolve(ocsf, 'examples', kind)) : []).map((file) => ({ file, kind }));
    it.each(examples('valid'))('takes the example $file', ({ file, kind }) => {
      const event = JSON.parse(readFileSync(resolve(ocsf, 'examples', kind, file), 'utf8')) as { class_uid: number };

      expect(faultsOf(event)).toEqual([]);
    });

    it.each(examples('invalid'))('refuses the example $file', ({ file, kind }) => {
      const event = JSON.parse(readFileSync(resolve(ocsf, 'examples', kind, file), 'utf8')) as { class_uid: number };

      expect(faultsOf(event)).not.toEqual([]);
    });
  },
);

it.each(formats)('encodes every sample as one line of %s', (format) => {
  const lines = samples.map(({ mapped }) => encodeBody(format, mapped, { includeRaw: true }));

  expect(lines.filter((line) => line === '' || /[\r\n]/.test(line))).toEqual([]);
});

it('lets no secret of a sample out in any format', () => {
  const lines = samples.flatMap(({ mapped }) => formats.map((format) => encodeBody(format, mapped, { includeRaw: true })));

  expect(lines.filter((line) => line.includes('invented-secret') || line.includes('AstraCS:'))).toEqual([]);
});
