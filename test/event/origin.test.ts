// From where and how a performer came, and how risky that is.
import { describe, expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import type { Format } from '../../src/event/event.ts';
import { compileActions, compileMapper, encodeBody, type MapSpec } from '../../src/event/index.ts';
import { faultsOf } from '../ocsf/faults.ts';
import { loadTable } from './load-connector.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: [], processedTime: 1 };
const okta = await loadConnector('okta', { dirs: ['connectors'], files: systemSeams().files });

/** A record of Okta with everything that its System Log tells of a client. */
function mapped(eventType: string, change: Record<string, unknown> = {}) {
  const record = {
    uuid: 'e1',
    published: '2026-11-20T10:00:30.123Z',
    eventType,
    actor: { id: '00u1', type: 'User', alternateId: 'dana@example.com' },
    outcome: { result: 'SUCCESS' },
    client: {
      ipAddress: '192.0.2.10',
      userAgent: { os: 'Mac OS X' },
      geographicalContext: {
        city: 'Utrecht',
        state: 'Utrecht',
        country: 'Netherlands',
        postalCode: '3511',
        geolocation: { lat: 52.0908, lon: 5.1222 },
      },
    },
    securityContext: { asNumber: 64_500, asOrg: 'Example Carrier', isp: 'Example', domain: 'example.net' },
    authenticationContext: { externalSessionId: '102x', authenticationProvider: 'FACTOR_PROVIDER', credentialType: 'SMS' },
    debugContext: { debugData: { risk: '{reasons=Anomalous Location, level=HIGH}' } },
    ...change,
  };
  return okta.mapper.map({ uid: 'u1', received: 1, record }, page);
}

const as = (format: Format, value: ReturnType<typeof mapped>) =>
  JSON.parse(encodeBody(format, value, { includeRaw: false })) as Record<string, unknown>;

const place = {
  domain: 'example.net',
  isp: 'Example',
  location: { city: 'Utrecht', region: 'Utrecht', country: 'NL', postal_code: '3511', lat: 52.0908, long: 5.1222 },
  autonomous_system: { number: 64_500, name: 'Example Carrier' },
  os: { name: 'Mac OS X', type_id: 300, type: 'macOS' },
};
const risk = (value: string, risk_level_id: number, risk_level: string) => [
  { name: 'metadata.event_code', value, type: 'risk', provider: 'penstock', data: { risk_level_id, risk_level } },
];

it('places them on a sign-in', () => {
  const event = as('ocsf', mapped('user.session.access_admin_app'));

  expect(event).toMatchObject({
    actor: { user: { domain: 'example.com', risk_level_id: 3, risk_level: 'High' } },
    src_endpoint: { ip: '192.0.2.10', ...place },
    session: { uid: '102x' },
    is_mfa: true,
    auth_factors: [{ factor_type_id: 1, factor_type: 'SMS' }],
    enrichments: risk('user.session.access_admin_app', 2, 'Medium'),
    // The text says more than the level, so it stays.
    unmapped: { debugContext: { debugData: { risk: '{reasons=Anomalous Location, level=HIGH}' } } },
  });
  expect(event['unmapped']).not.toHaveProperty('securityContext');
  expect(faultsOf(event)).toEqual([]);
});

it('gives the session to the performer of anything else', () => {
  const event = as('ocsf', mapped('group.user_membership.add'));

  expect(event).toMatchObject({ class_uid: 3006, actor: { session: { uid: '102x', is_mfa: true } }, src_endpoint: place });
  expect(Object.keys(event)).not.toEqual(expect.arrayContaining(['session']));
  expect(event['unmapped']).toMatchObject({ authenticationContext: { credentialType: 'SMS' } });
  expect(faultsOf(event)).toEqual([]);
});

it('leaves what describes the address in place for an unknown action', () => {
  const event = as('ocsf', mapped('something.new'));

  expect(event).toMatchObject({
    class_uid: 0,
    actor: { user: { domain: 'example.com' }, session: { uid: '102x', is_mfa: true } },
    unmapped: { src_ip: '192.0.2.10', securityContext: { asNumber: 64_500 } },
  });
  expect(faultsOf(event)).toEqual([]);
});

it('has no endpoint that is nothing but its surroundings', () => {
  const event = as('ocsf', mapped('user.session.start', { client: { userAgent: { os: 'Linux' } } }));

  expect(event).not.toHaveProperty('src_endpoint');
  expect(event['unmapped']).toMatchObject({ client: { userAgent: { os: 'Linux' } }, securityContext: { asNumber: 64_500 } });
  expect(faultsOf(event)).toEqual([]);
});

describe('the other formats', () => {
  const event = mapped('user.session.access_admin_app');

  it('ECS', () => {
    expect(as('ecs', event)).toMatchObject({
      source: {
        ip: '192.0.2.10',
        domain: 'example.net',
        geo: {
          city_name: 'Utrecht',
          region_name: 'Utrecht',
          country_iso_code: 'NL',
          postal_code: '3511',
          location: { lat: 52.0908, lon: 5.1222 },
        },
        as: { number: 64_500, organization: { name: 'Example Carrier' } },
      },
      user: { domain: 'example.com', risk: { static_level: 'High' } },
      user_agent: { os: { name: 'Mac OS X' } },
      penstock: { session_id: '102x', is_mfa: true, auth_factor: 'SMS', source_isp: 'Example', risk_level: 'Medium' },
    });
  });

  it('CIM', () => {
    expect(as('cim', event)).toMatchObject({
      src_city: 'Utrecht',
      src_region: 'Utrecht',
      src_country: 'NL',
      src_postal_code: '3511',
      src_lat: 52.0908,
      src_long: 5.1222,
      src_asn: 64_500,
      src_as_name: 'Example Carrier',
      src_isp: 'Example',
      src_domain: 'example.net',
      src_os: 'Mac OS X',
      session_id: '102x',
      is_mfa: true,
      authentication_method: 'SMS',
      user_domain: 'example.com',
      user_risk_level: 'High',
      risk_level: 'Medium',
    });
  });

  it('CEF', () => {
    expect(encodeBody('cef', event, { includeRaw: false })).toContain(
      ' sntdom=example.com flexString2=Medium flexString2Label=riskLevel' +
        ' cn2=64500 cn2Label=sourceAsNumber penstockUserRiskLevel=High penstockSourceLocation=Utrecht, Utrecht, NL penstockSourceAsName=Example Carrier penstockSourceOs=Mac OS X' +
        ' penstockSessionId=102x penstockIsMfa=true penstockAuthFactor=SMS',
    );
  });

  it('LEEF', () => {
    const fields = encodeBody('leef', event, { includeRaw: false }).split('\t');

    expect(fields).toEqual(
      expect.arrayContaining([
        'domain=example.com',
        'srcCity=Utrecht',
        'srcRegion=Utrecht',
        'srcCountry=NL',
        'srcAsn=64500',
        'srcAsName=Example Carrier',
        'srcOs=Mac OS X',
        'sessionId=102x',
        'isMfa=true',
        'authFactor=SMS',
        'userRiskLevel=High',
        'riskLevel=Medium',
      ]),
    );
  });
});

/** The attributes that one map makes of one record of a performer with an address. */
function attributes(map: MapSpec, record: Record<string, unknown>): Record<string, unknown> {
  const mapper = compileMapper({
    table: compileActions(loadTable('analyst-studio')),
    map: { 'actor.user.uid': 'who', 'src_endpoint.ip': 'ip', ...map },
    record: { id: 'id', time: 'at', action: 'action' },
  });
  const whole = { id: 'e1', at: 1_795_000_000, action: 'collection_created', who: 'u1', ip: '192.0.2.1', ...record };
  const event = as('ocsf', mapper.map({ uid: 'u1', received: 1, record: whole }, page));
  expect(faultsOf(event)).toEqual([]);
  return event;
}

it.each([
  ['NL', 'NL'],
  ['de', 'DE'],
  ['UK', 'GB'],
  ['United States', 'US'],
  ['The Netherlands', 'NL'],
  ["Cote d'Ivoire", 'CI'],
  ['Bosnia and Herzegovina', 'BA'],
  ['Turkey', 'TR'],
  ['Türkiye', 'TR'],
  ['South Korea', 'KR'],
  ['Russian Federation', 'RU'],
  ['XX', undefined],
  ['ZZ', undefined],
  ['Atlantis', undefined],
  [31, undefined],
])('reads the country %s as %s', (told, code) => {
  const { src_endpoint: endpoint, unmapped } = attributes({ 'src_endpoint.location.country': 'land' }, { land: told });

  expect([endpoint, unmapped]).toEqual([
    { ip: '192.0.2.1', ...(code === undefined ? {} : { location: { country: code } }) },
    code === undefined ? { land: told } : undefined,
  ]);
});

it.each([
  ['Windows 11', 100],
  ['iPadOS 18', 302],
  ['iOS (iPhone)', 301],
  ['macOS 15', 300],
  ['Darwin', 300],
  ['Android 16', 201],
  ['Windows Phone', 101],
  ['Ubuntu', 200],
  ['Chrome OS', 99],
])('knows the system %s as %i', (name, type_id) => {
  const { src_endpoint: endpoint } = attributes({ 'src_endpoint.os.name': 'os' }, { os: name });

  expect(endpoint).toMatchObject({ os: { name, type_id } });
});

it.each(['unknown', 'Unknown', 'null', '.', '-', 'N/A', ''])('takes "%s" for nothing', (text) => {
  const map = { 'session.uid': 's', 'src_endpoint.os.name': 's', 'src_endpoint.location.city': 's', 'actor.user.domain': 's' };
  const { src_endpoint: endpoint, actor } = attributes(map, { s: text });

  expect([endpoint, actor]).toEqual([{ ip: '192.0.2.1' }, { user: { uid: 'u1', org: { uid: 'tenant-1' } } }]);
});

it.each([
  ['dana@example.com', 'example.com'],
  ['CORP\\dana', 'CORP'],
  ['dana', undefined],
  ['dana@', undefined],
  ['Dana of mail@example.com', undefined],
])('takes the domain out of the login %s', (login, domain) => {
  const { actor, unmapped } = attributes({ 'actor.user.domain': { login: 'login' } }, { login });

  expect([actor, unmapped]).toEqual([
    { user: { uid: 'u1', ...(domain === undefined ? {} : { domain }), org: { uid: 'tenant-1' } } },
    { login },
  ]);
});

it.each([
  ['low', 1, undefined],
  ['Critical', 4, undefined],
  ['elevated', 3, undefined],
  ['{level=MEDIUM}', 2, '{level=MEDIUM}'],
  ['{"level": "low", "why": "new device"}', 1, '{"level": "low", "why": "new device"}'],
  ['new device', undefined, 'new device'],
])('reads the risk %s as level %s', (told, id, left) => {
  const map: MapSpec = { 'actor.user.risk_level': { from: 'risk', values: { elevated: 3 } } };
  const { actor, unmapped } = attributes(map, { risk: told }) as {
    actor: { user: { risk_level_id?: number } };
    unmapped?: unknown;
  };

  expect([actor.user.risk_level_id, unmapped]).toEqual([id, left === undefined ? undefined : { risk: left }]);
});

it.each([
  [42, 42, undefined],
  ['7', 7, undefined],
  [87.6, 88, { score: 87.6 }],
  ['high', undefined, { score: 'high' }],
  [true, undefined, { score: true }],
])('reads the risk score %s as %s', (told, score, left) => {
  const { actor, unmapped } = attributes({ 'actor.user.risk_score': 'score' }, { score: told }) as {
    actor: { user: { risk_score?: number } };
    unmapped?: unknown;
  };

  expect([actor.user.risk_score, unmapped]).toEqual([score, left]);
});

it.each([
  [{ lat: 91, long: 5 }, undefined],
  [{ lat: 52 }, undefined],
  [
    { lat: '52.5', long: -0.5 },
    { lat: 52.5, long: -0.5 },
  ],
])('takes whole coordinates only: %j', (told, coordinates) => {
  const map = {
    'src_endpoint.location.city': 'city',
    'src_endpoint.location.lat': 'lat',
    'src_endpoint.location.long': 'long',
  };
  const { src_endpoint: endpoint } = attributes(map, { city: 'Utrecht', ...told });

  expect(endpoint).toEqual({ ip: '192.0.2.1', location: { city: 'Utrecht', ...coordinates } });
});

it.each([
  [64_500, 64_500],
  ['AS64500', 64_500],
  ['4294967296', undefined],
  ['-1', undefined],
])('reads the autonomous system %s as %s', (told, number) => {
  const { src_endpoint: endpoint } = attributes({ 'src_endpoint.autonomous_system.number': 'as' }, { as: told });

  expect(endpoint).toEqual({ ip: '192.0.2.1', ...(number === undefined ? {} : { autonomous_system: { number } }) });
});
