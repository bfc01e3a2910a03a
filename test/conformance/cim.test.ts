// What Splunk CIM asks of an event, one test per statement, over every action of the shipped connectors.
import { expect, it } from 'vitest';
import { encodeBody } from '../../src/event/index.ts';
import { joined } from '../../src/sinks/encoded.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { connectorNames, envelopeOf, loadConnector } from '../event/load-connector.ts';
import { openContext, outgoing } from '../sinks/batches.ts';
import { envelopes, hecOptions } from '../sinks/hec.ts';

interface Indexed {
  readonly model: string | null;
  readonly dataset: string | undefined;
  readonly fields: Record<string, unknown>;
  readonly ocsf: { readonly actor?: { readonly user?: Record<string, unknown> }; readonly user?: Record<string, unknown> };
}

/** Every sample as HEC gets it: the `event` of its envelope in format cim. */
async function indexed(): Promise<Indexed[]> {
  await using context = await openContext({ format: 'cim' });
  await using sink = openSplunkHec(hecOptions('http://127.0.0.1:1'), context);
  return connectorNames.flatMap((name) => {
    const loaded = loadConnector(name);
    return loaded.samples.map((sample) => {
      const page = { source: 'acme', tenant: 'acme', labels: [], processedTime: 1_762_161_400_000 };
      const mapped = loaded.mapper.map(envelopeOf(loaded, sample, 'acme'), page);
      const body = encodeBody('cim', mapped, { includeRaw: false });
      const [envelope] = envelopes(joined(sink.encode(outgoing('e0', { event: mapped.event, body }))));
      const fields = envelope?.['event'] as Record<string, unknown>;
      return {
        model: mapped.action?.cim.model ?? null,
        dataset: mapped.action?.cim.dataset,
        fields,
        ocsf: fields['ocsf'] as Indexed['ocsf'],
      };
    });
  });
}

const missing = (fields: Record<string, unknown>, names: readonly string[]): string[] =>
  names.filter((name) => fields[name] === undefined || fields[name] === '' || fields[name] === null);

it('A login has action, app, dest, src and user', async () => {
  const logins = (await indexed()).filter(({ model }) => model === 'Authentication');

  const wrong = logins.filter(
    ({ fields }) =>
      missing(fields, ['app', 'dest', 'src', 'user']).length > 0 ||
      !['success', 'failure', 'pending', 'error'].includes(String(fields['action'])),
  );
  expect(logins.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});

it('A change has every required field, a status, and a result when it failed', async () => {
  const names =
    'action change_type command dest dvc object object_attrs object_category object_id src status user vendor_product'.split(' ');
  const changes = (await indexed()).filter(({ model }) => model === 'Change');

  const wrong = changes.filter(
    ({ fields }) =>
      missing(fields, names).length > 0 ||
      !['success', 'failure'].includes(String(fields['status'])) ||
      (fields['status'] === 'failure' && missing(fields, ['result']).length > 0),
  );
  expect(changes.length).toBeGreaterThan(0);
  expect(wrong.map(({ fields }) => [fields['signature'], missing(fields, names), fields['status']])).toEqual([]);
});

it('An access to data has every required field', async () => {
  const names =
    'action app dest object object_attrs object_category object_id object_size src user user_name vendor_account vendor_product'.split(
      ' ',
    );
  const accesses = (await indexed()).filter(({ model }) => model === 'Data_Access');

  const wrong = accesses.filter(({ fields }) => missing(fields, names).length > 0);
  expect(accesses.length).toBeGreaterThan(0);
  expect(wrong.map(({ fields }) => [fields['signature'], missing(fields, names)])).toEqual([]);
});

it('A changed account has a performer in src_user', async () => {
  const changes = (await indexed()).filter(
    ({ dataset, fields }) => dataset === 'Account_Management' && fields['object_category'] === 'user',
  );

  expect(changes.length).toBeGreaterThan(0);
  expect(changes.filter(({ fields }) => missing(fields, ['src_user']).length > 0)).toEqual([]);
});

it('In account management user is the account that was changed and src_user the performer', async () => {
  const changes = (await indexed()).filter(({ dataset, ocsf }) => dataset === 'Account_Management' && ocsf.user !== undefined);

  const named = (user: Record<string, unknown> | undefined): unknown => user?.['name'] ?? user?.['email_addr'] ?? user?.['uid'];
  expect(changes.length).toBeGreaterThan(0);
  expect(changes.map(({ fields }) => [fields['user'], fields['src_user']])).toEqual(
    changes.map(({ ocsf }) => [named(ocsf.user), named(ocsf.actor?.user)]),
  );
});
