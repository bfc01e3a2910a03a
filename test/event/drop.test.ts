// What a sink may leave out of its events.
import { describe, expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import type { Format, Mapped } from '../../src/event/event.ts';
import { compileDrop, type Droppable, encodeBody } from '../../src/event/index.ts';
import { classShapes } from '../../src/event/ocsf/shapes.ts';
import { validateEvent } from '../../src/event/ocsf/validate.ts';
import { renderSamples } from '../../src/workbench/catalog.ts';
import { faultsOf } from '../ocsf/faults.ts';
import { connectorNames, envelopeOf, loadConnector as load } from './load-connector.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: [], processedTime: 1 };
const { files } = systemSeams();
const okta = await loadConnector('okta', { dirs: ['connectors'], files });
const samples = connectorNames.flatMap((name) => {
  const loaded = load(name);
  return loaded.samples.map((record) => loaded.mapper.map(envelopeOf(loaded, record, 'tenant-1'), page));
});

const body = (mapped: Mapped, drop: Droppable[], format: Format = 'ocsf', includeRaw = false) =>
  JSON.parse(encodeBody(format, mapped, { includeRaw, drop: compileDrop(drop) })) as Record<string, unknown>;

const record = {
  uuid: 'e1',
  published: '2026-11-20T10:00:30.123Z',
  eventType: 'policy.lifecycle.update',
  actor: { id: '00u1', type: 'User', alternateId: 'dana@example.com' },
  client: { ipAddress: '192.0.2.10', geographicalContext: { city: 'Utrecht', country: 'Netherlands' } },
  outcome: { result: 'SUCCESS' },
  target: [{ id: '00p1', type: 'PolicyEntity', displayName: 'Default' }],
  debugContext: { debugData: { requestUri: '/x' } },
};
const policy = okta.mapper.map({ uid: 'u1', received: 1, record }, page);

it('keeps what OCSF requires or recommends, and the id', () => {
  expect(body(policy, ['optional', 'unmapped', 'observables'])).toEqual({
    class_uid: 3004,
    category_uid: 3,
    activity_id: 3,
    type_uid: 300_403,
    severity_id: 3,
    status_id: 1,
    status: 'Success',
    time: 1_795_168_830_123,
    status_code: 'SUCCESS',
    message: 'Policy changed',
    actor: { user: { name: 'dana@example.com', uid: '00u1', type_id: 1 } },
    src_endpoint: { ip: '192.0.2.10' },
    entity: { name: 'Default', uid: '00p1', type: 'Policy', type_id: 5, policy: { name: 'Default', uid: '00p1' } },
    metadata: {
      version: '1.8.0',
      product: { name: 'Okta', vendor_name: 'Okta' },
      uid: 'u1',
      log_name: 'okta.system',
      original_time: '2026-11-20T10:00:30.123Z',
      tenant_uid: 'tenant-1',
    },
  });
});

it.each(samples)('leaves a valid event of class $event.class_uid', (mapped) => {
  for (const drop of [['optional'], ['unmapped'], ['observables'], ['optional', 'unmapped', 'observables']] as Droppable[][]) {
    const event = body(mapped, drop);

    expect([faultsOf(event), validateEvent(event as never)]).toEqual([[], []]);
    expect((event['metadata'] as { uid: string }).uid).toBe(mapped.event.metadata.uid);
  }
});

it('takes nothing that is not optional, in no event', () => {
  const lost = samples.flatMap(({ event }) => {
    const less = compileDrop(['optional'])?.(event) ?? event;
    const { attributes } = classShapes.get(event.class_uid) ?? expect.fail('unknown class');
    return Object.keys(event).filter((name) => !(name in less) && attributes.get(name)?.requirement !== 'optional');
  });

  expect(lost).toEqual([]);
});

it('keeps the name of what OCSF has no number for', () => {
  const verified = okta.mapper.map(
    { uid: 'u1', received: 1, record: { ...record, eventType: 'user.authentication.auth_via_mfa' } },
    page,
  );
  const unknown = okta.mapper.map({ uid: 'u1', received: 1, record: { ...record, eventType: 'made.up' } }, page);

  expect([verified, unknown].map((mapped) => body(mapped, ['optional'])['activity_name'])).toEqual([
    'MFA Verification',
    'made.up',
  ]);
  expect(body(unknown, ['optional'])).toMatchObject({ actor: { user: { uid: '00u1' } }, metadata: { profiles: ['host'] } });
});

it("keeps the vendor's text: it was asked for, or there is nothing else", () => {
  const unreadable = okta.mapper.map({ uid: 'u1', received: 1, record: 'half a rec', unreadable: 'it ends too early' }, page);
  const drop: Droppable[] = ['optional', 'unmapped', 'observables'];

  expect(body(unreadable, drop)).toMatchObject({ raw_data: 'half a rec', raw_data_size: 10 });
  expect(body(policy, drop, 'ocsf', true)).toMatchObject({ raw_data: JSON.stringify(record) });
});

it('leaves the event itself as it is', () => {
  const before = JSON.stringify(policy.event);

  encodeBody('ocsf', policy, { includeRaw: false, drop: compileDrop(['optional', 'unmapped', 'observables']) });

  expect(JSON.stringify(policy.event)).toBe(before);
});

describe('in another format', () => {
  it('CIM: of the event below the fields', () => {
    const whole = body(policy, [], 'cim');
    const less = body(policy, ['optional', 'unmapped', 'observables'], 'cim');

    expect({ ...less, ocsf: undefined }).toEqual({ ...whole, ocsf: undefined });
    expect(less['ocsf']).toEqual(body(policy, ['optional', 'unmapped', 'observables']));
  });

  it('ECS: unmapped, without what was read out of it', () => {
    const unknown = okta.mapper.map({ uid: 'u1', received: 1, record: { ...record, eventType: 'made.up' } }, page);
    const whole = body(unknown, [], 'ecs') as { penstock: object };

    expect(body(unknown, ['unmapped'], 'ecs')).toEqual({ ...whole, penstock: { ...whole.penstock, unmapped: undefined } });
    expect(whole).toMatchObject({ source: { ip: '192.0.2.10' } });
  });
});

it('shows the size of samples before and after', async () => {
  const request = { connector: 'okta', format: 'ocsf', includeRaw: false, now: 1 } as const;

  const whole = await renderSamples(request, files);
  const less = await renderSamples({ ...request, drop: ['optional', 'unmapped'] }, files);

  expect([whole.bytes, less.wholeBytes]).toEqual([whole.wholeBytes, whole.bytes]);
  expect(less.bytes).toBeLessThan(whole.bytes / 2);
  expect(less.bytes).toBe(less.lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0));
});
