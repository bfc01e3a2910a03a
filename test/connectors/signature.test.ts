// Requests that are signed, as the page says it: against vectors of the vendors' own clients.
import { createHash, createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { asPenstockError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { AuthSpec, SignatureSpec } from '../../src/connectors/auth-section.ts';
import { openSigner } from '../../src/connectors/signature.ts';
import type { HttpRequest } from '../../src/http/client.ts';
import { faultOf, openVendor, pageOf, vendorConnector } from './vendor.ts';

const page = await readFile(join(import.meta.dirname, '../../docs/connectors.md'), 'utf8');

function shown(name: string): SignatureSpec {
  const block = new RegExp(`<!-- example: ${name} -->\\n\`\`\`yaml\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? '';
  const { signature } = (parse(block) as { auth: AuthSpec }).auth;
  if (signature === undefined) throw new Error(`no example ${name}`);
  return signature;
}

function signed(
  spec: SignatureSpec,
  options: Readonly<Record<string, string>>,
  [method, url, body]: readonly [HttpRequest['method'], string, string?],
  at = '2012-12-07T17:18:00Z',
): HttpRequest {
  const signer = openSigner(spec, (name) => options[name.replace('options.', '')], { random: seededRandom(1) });
  const request = { method, url: new URL(url), timeoutMs: 1, maxBytes: 1, ...(body === undefined ? {} : { body }) };
  return signer.sign(request, Date.parse(at)).request;
}

const withValues = (spec: SignatureSpec, values: SignatureSpec['values']): SignatureSpec => ({
  ...spec,
  values: { ...spec.values, ...values },
});

const userOf = (request: HttpRequest): string =>
  Buffer.from(request.headers?.['authorization']?.slice(6) ?? '', 'base64').toString();

// Source: https://github.com/duosecurity/duo_client_python/blob/master/tests/test_client_sign.py
describe('Duo', () => {
  const parameters = [
    [
      '\u469a\u287b\u35d0\u8ef3\u6727\u502a\u0810\ud091\xc8\uc170',
      '\u0f45\u1a76\u341a\u654c\uc23f\u9b09\uabe2\u8343\u1b27\u60d0',
    ],
    [
      '\u7449\u7e4b\uccfb\u59ff\ufe5f\u83b7\uadcc\u900c\ucfd1\u7813',
      '\u8db7\u5022\u92d3\u42ef\u207d\u8730\uacfe\u5617\u0946\u4e30',
    ],
    [
      '\u7470\u9314\u901c\u9eae\u40d8\u4201\u82d8\u8c70\u1d31\ua042',
      '\u17d9\u0ba8\u9358\uaadf\ua42a\u48be\ufb96\u6fe9\ub7ff\u32f3',
    ],
    ['\uc2c5\u2c1d\u2620\u3617\u96b3F\u8605\u20e8\uac21\u5934', '\ufba9\u41aa\ubd83\u840b\u2615\u3e6e\u652d\ua8b5\ud56bU'],
  ].map((pair) => pair.map(encodeURIComponent).join('='));
  const url = (query: string): string => `https://foO.BAr52.cOm/Foo/BaR2/qux?${query}`;
  const options = { integration_key: 'test_ikey', secret_key: 'gtdfxv9YgVBYcF6dl2Eq17KUQJN2PLM2ODVTkvoT' };
  const numeric = withValues(shown('signature-duo'), { date: { time: "EEE, dd MMM yyyy HH:mm:ss '-0000'" } });

  it.each([
    ['in order', parameters],
    ['in any other order', parameters.toReversed()],
  ])('signs what its client signs, %s', (_name, pairs) => {
    const request = signed(numeric, options, ['POST', url(pairs.join('&'))]);

    expect([userOf(request), request.headers?.['date']]).toEqual([
      'test_ikey:f01811cbbf9561623ab45b893096267fd46a5178',
      'Fri, 07 Dec 2012 17:18:00 -0000',
    ]);
  });

  it('encodes parameters as its client does', () => {
    const text = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
    const spec: SignatureSpec = { values: { q: { text: '{{ request.sorted_query }}' } }, headers: { q: '{{ value.q }}' } };
    const request = signed(spec, {}, ['GET', url(`b=2&p=${encodeURIComponent(text)}&b=10&w=a%20b&none=`)]);

    expect(request.headers?.['q']).toBe(
      'b=10&b=2&none=&p=%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~&w=a%20b',
    );
  });
});

// Source: https://github.com/akamai/AkamaiOPEN-edgegrid-python/blob/master/akamai/edgegrid/test/testcases.json
describe('Akamai EdgeGrid', () => {
  const host = 'https://akaa-baseurl-xxxxxxxxxxx-xxxxxxxxxxxxx.luna.akamaiapis.net';
  const options = {
    client_token: 'akab-client-token-xxx-xxxxxxxxxxxxxxxx',
    access_token: 'akab-access-token-xxx-xxxxxxxxxxxxxxxx',
    client_secret: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=',
  };
  const spec = withValues(shown('signature-akamai'), { nonce: { text: 'nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx' } });
  const head =
    'EG1-HMAC-SHA256 client_token=akab-client-token-xxx-xxxxxxxxxxxxxxxx;access_token=akab-access-token-xxx-xxxxxxxxxxxxxxxx;timestamp=20140321T19:34:21+0000;nonce=nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx;signature=';

  it.each([
    ['GET', '/', undefined, 'tL+y4hxyHxgWVD30X3pWnGKHcPzmrIF+LThiAOhMxYU='],
    ['GET', '/testapi/v1/t1?p1=1&p2=2', undefined, 'hKDH1UlnQySSHjvIcZpDMbQHihTQ0XyVAKZaApabdeA='],
    ['POST', '/testapi/v1/t3', 'datadatadatadatadatadatadatadata', 'hXm4iCxtpN22m4cbZb4lVLW5rhX8Ca82vCFqXzSTPe4='],
    ['POST', '/testapi/v1/t6', '', '1gEDxeQGD5GovIkJJGcBaKnZ+VaPtrc4qBUHixjsPCQ='],
    ['GET', '/testapi/v1/configs/111?from=12345&limit=200000', undefined, 'XM+hsuSs6nuy/5eDRty1IjtVCAdr8xPFRAZ/b8RXDm8='],
    ['GET', '/testapi/v1/configs/111;222;333?from=12345&limit=200000', undefined, 'pmQF7Is2+O4r/mMojPR4yeF58BrempNNoBX5/DT0Fxs='],
  ] as const)('signs %s %s %s as its clients do', (method, path, body, proof) => {
    const request = signed(spec, options, [method, `${host}${path}`, body], '2014-03-21T19:34:21.999Z');

    expect(request.headers).toEqual({ authorization: `${head}${proof}` });
  });
});

describe('other schemes', () => {
  const step = (text: string, key: string): SignatureSpec['values'][string] => ({
    text,
    algorithm: 'sha256',
    key: `{{ value.${key} }}`,
    key_is: 'hex',
  });

  // Source: get-vanilla of the test suite, https://docs.aws.amazon.com/general/latest/gr/signature-v4-test-suite.html
  it('AWS Signature Version 4 with its chain of keys', () => {
    const scope = '{{ value.day }}/us-east-1/service/aws4_request';
    const spec: SignatureSpec = {
      values: {
        time: { time: "yyyyMMdd'T'HHmmss'Z'" },
        day: { time: 'yyyyMMdd' },
        content: { text: '{{ request.body }}', algorithm: 'sha256' },
        asked: {
          text: '{{ request.method }}\n{{ request.path }}\n{{ request.sorted_query }}\nhost:{{ request.host }}\nx-amz-date:{{ value.time }}\n\nhost;x-amz-date\n{{ value.content }}',
          algorithm: 'sha256',
        },
        day_key: { text: '{{ value.day }}', algorithm: 'sha256', key: 'AWS4{{ options.secret }}' },
        region_key: step('us-east-1', 'day_key'),
        service_key: step('service', 'region_key'),
        key: step('aws4_request', 'service_key'),
        proof: step(`AWS4-HMAC-SHA256\n{{ value.time }}\n${scope}\n{{ value.asked }}`, 'key'),
      },
      headers: {
        'X-Amz-Date': '{{ value.time }}',
        Authorization: `AWS4-HMAC-SHA256 Credential={{ options.id }}/${scope}, SignedHeaders=host;x-amz-date, Signature={{ value.proof }}`,
      },
    };
    const options = { id: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

    expect(signed(spec, options, ['GET', 'https://example.amazonaws.com/'], '2015-08-30T12:36:00Z').headers).toEqual({
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    });
  });

  it('Mimecast, whose key is base64', () => {
    const spec: SignatureSpec = {
      values: {
        date: { time: "EEE, dd MMM yyyy HH:mm:ss 'UTC'" },
        id: { random: 'uuid' },
        proof: {
          text: '{{ value.date }}:{{ value.id }}:{{ request.path }}:{{ options.app_key }}',
          algorithm: 'sha1',
          key: '{{ options.secret }}',
          key_is: 'base64',
          encoding: 'base64',
        },
      },
      headers: { 'x-mc-date': '{{ value.date }}', 'x-mc-req-id': '{{ value.id }}', authorization: 'MC a:{{ value.proof }}' },
    };
    const headers = signed(spec, { secret: 'c2VjcmV0', app_key: 'app' }, ['POST', 'https://eu-api.mimecast.com/api/a']).headers;
    const text = `Fri, 07 Dec 2012 17:18:00 UTC:${headers?.['x-mc-req-id']}:/api/a:app`;

    expect(headers?.['x-mc-req-id']).toMatch(/^[\da-f-]{36}$/);
    expect(headers?.['authorization']).toBe(`MC a:${createHmac('sha1', 'secret').update(text).digest('base64')}`);
  });

  it('a digest of the secret in the query, in place of the one that a link repeats', () => {
    const spec: SignatureSpec = {
      values: {
        ts: { time: 'epoch_ms' },
        hash: { text: '{{ value.ts }}{{ options.secret }}', algorithm: 'md5', encoding: 'upper_hex' },
      },
      query: { ts: '{{ value.ts }}', hash: '{{ value.hash }}' },
    };

    const { url } = signed(spec, { secret: 's' }, ['GET', 'https://a.example/b?ts=1&x=%2B&hash=old'], '1970-01-01T00:00:01Z');

    const hash = createHash('md5').update('1000s').digest('hex').toUpperCase();
    expect(url.href).toBe(`https://a.example/b?x=%2B&ts=1000&hash=${hash}`);
  });

  // Source: https://developer.x.com/en/docs/authentication/oauth-1-0a/creating-a-signature
  it('OAuth 1.0, whose parameters are sorted with those of the request', () => {
    const own =
      'oauth_consumer_key={{ options.key }}&oauth_nonce={{ value.nonce }}&oauth_signature_method=HMAC-SHA1&oauth_timestamp={{ value.time }}&oauth_token={{ options.token }}&oauth_version=1.0';
    const spec: SignatureSpec = {
      values: {
        time: { time: 'epoch_s' },
        nonce: { text: 'kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg' },
        address: { text: '{{ request.address }}', encoding: 'percent' },
        query: { text: `{{ request.query }}&${own}`, encoding: 'sorted_query' },
        parameters: { text: '{{ value.query }}', encoding: 'percent' },
        proof: {
          text: '{{ request.method }}&{{ value.address }}&{{ value.parameters }}',
          algorithm: 'sha1',
          key: '{{ options.key_secret }}&{{ options.token_secret }}',
          encoding: 'base64',
        },
        signature: { text: '{{ value.proof }}', encoding: 'percent' },
      },
      headers: { authorization: 'OAuth oauth_signature="{{ value.signature }}"' },
    };
    const options = {
      key: 'xvz1evFS4wEEPTGEFPHBog',
      key_secret: 'kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw',
      token: '370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb',
      token_secret: 'LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE',
    };
    const query = `include_entities=true&status=${encodeURIComponent('Hello Ladies + Gentlemen, a signed OAuth request!')}`;
    const address = `https://api.twitter.com/1.1/statuses/update.json?${query}`;

    expect(signed(spec, options, ['POST', address], new Date(1_318_622_958_000).toISOString()).headers).toEqual({
      authorization: 'OAuth oauth_signature="hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D"',
    });
  });

  it('LogicMonitor, the base64 of the hex', () => {
    const proof = { text: 'x', algorithm: 'sha256', key: 'k', encoding: 'hex_base64' } as const;
    const request = signed({ values: { proof }, headers: { a: '{{ value.proof }}' } }, {}, ['GET', 'https://a.example/']);

    expect(request.headers?.['a']).toBe(Buffer.from(createHmac('sha256', 'k').update('x').digest('hex')).toString('base64'));
  });
});

describe('a source whose requests are signed', () => {
  const auth: AuthSpec = {
    signature: {
      values: {
        at: { time: 'epoch_ms' },
        proof: { text: '{{ value.at }} {{ request.path_query }}', algorithm: 'sha256', key: '{{ options.token }}' },
      },
      headers: { 'x-at': '{{ value.at }}', 'x-proof': '{{ value.proof }}' },
    },
  };
  const connector = vendorConnector({ 'page.kind': 'link', 'page.link': 'next' }, { auth });
  const timesOf = (asked: readonly HttpRequest[]): readonly number[] =>
    asked.map(({ headers }) => Number(headers?.['x-at']) - Date.UTC(2026, 10, 21, 10));
  const proofOf = ({ url, headers }: HttpRequest): string =>
    createHmac('sha256', 's3cret').update(`${headers?.['x-at']} ${url.pathname}${url.search}`).digest('hex');

  it('signs each try anew, and each page', async () => {
    const vendor = openVendor(connector, (_request, count) =>
      count < 2 ? { status: 503, headers: { 'retry-after': '7' } } : { body: { data: [{ id: 1 }], next: '/v1/logs?p=2' } },
    );

    const { next } = await pageOf(vendor);
    await pageOf(vendor, next);

    expect(timesOf(vendor.asked)).toEqual([0, 7_000, 14_000, 14_000]);
    expect(vendor.asked.map(({ headers }) => headers?.['x-proof'])).toEqual(vendor.asked.map(proofOf));
    expect(JSON.stringify(next)).toBe('{"kind":"link","path":"/v1/logs?p=2"}');
  });

  const hour = 3_600_000;
  const strict =
    (status: number, aheadMs: number) =>
    ({ headers }: HttpRequest): { status?: number; headers?: Record<string, string>; body?: unknown } => {
      const date = Date.UTC(2026, 10, 21, 10) + aheadMs;
      if (Math.abs(Number(headers?.['x-at']) - date) < 60_000) return { body: { data: [] } };
      return { status, headers: { date: new Date(date).toUTCString() }, body: { error: 'bad timestamp' } };
    };

  it.each([400, 401, 403])('signs by the clock of a vendor that answers %i to another time, from then on', async (status) => {
    const vendor = openVendor(connector, strict(status, 2 * hour));

    await pageOf(vendor);
    await pageOf(vendor);

    expect(timesOf(vendor.asked)).toEqual([0, 2 * hour, 2 * hour]);
  });

  it('does so where the connector says of the body that it failed', async () => {
    const failing = vendorConnector({ failures: { error: { '*': 'failed' } } }, { auth });
    const vendor = openVendor(failing, strict(401, 2 * hour));

    await pageOf(vendor);

    expect(timesOf(vendor.asked)).toEqual([0, 2 * hour]);
  });

  it('takes no clock from a refusal that means the key, and comes back from one that did not help', async () => {
    const plain = openVendor(connector, () => ({ status: 401, headers: { date: 'Sat, 21 Nov 2026 10:00:01 GMT' } }));
    const cached = openVendor(connector, () => ({ status: 401, headers: { date: 'Sat, 21 Nov 2026 08:00:00 GMT' } }));

    const faults = [await faultOf(plain), await faultOf(cached), await faultOf(cached)];

    expect(faults.map((fault) => fault?.code)).toEqual(['PEN_SOURCE_REFUSED', 'PEN_SOURCE_REFUSED', 'PEN_SOURCE_REFUSED']);
    expect([timesOf(plain.asked), timesOf(cached.asked)]).toEqual([[0], [0, -2 * hour, -2 * hour, 0]]);
  });

  it('tells neither the key nor a signature that the vendor repeats', async () => {
    const vendor = openVendor(connector, ({ headers }) => ({
      status: 401,
      body: { error: `bad signature ${headers?.['x-proof']} for key s3cret` },
    }));

    expect((await faultOf(vendor))?.message).toContain('bad signature [REDACTED] for key [REDACTED]');
  });

  it('says which key is not written as the connector says', async () => {
    const values = { proof: { text: 'x', algorithm: 'sha1', key: '{{ options.token }}', key_is: 'base64' } };
    const odd = vendorConnector({}, { auth: { signature: { values, headers: { a: '{{ value.proof }}' } } } });

    const fault = await faultOf(openVendor(odd, () => ({}), { token: 'not base64!' }));

    expect([fault?.code, fault?.message]).toEqual(['PEN_CONFIG_INVALID', 'the key that signs "proof" is not base64']);
  });
});

describe('a signature that cannot be', () => {
  const proof = { text: 'x', algorithm: 'sha1', key: '{{ options.token }}' };
  const headers = { a: '{{ value.proof }}' };

  it.each([
    [{ values: { proof: { text: 'x', time: 'http' } }, headers }, 'a value is one of time, random and text'],
    [{ values: { proof: {} }, headers }, 'a value is one of time, random and text'],
    [{ values: { proof: { time: 'http', algorithm: 'sha1' } }, headers }, 'only a text is signed'],
    [{ values: { proof: { text: 'x', key: 'k' } }, headers }, 'a key signs by no algorithm'],
    [{ values: { proof: { text: 'x', algorithm: 'md5', key_is: 'hex' } }, headers }, 'there is no key'],
    [{ values: { proof } }, 'no value goes into the request'],
    [{ values: { proof }, headers: { a: '{{ options.token }}' } }, 'no value goes into the request'],
    [
      { values: { proof: { ...proof, text: '{{ value.later }}' }, later: { time: 'http' } }, headers },
      'the template names "value.later"',
    ],
    [
      { values: { proof: { ...proof, text: '{{ request.uri }}' } }, headers },
      'the template names "request.uri", which does not exist',
    ],
    [{ values: { proof: { ...proof, algorithm: 'sha3' } }, headers }, '"sha3" must be one of md5'],
    [{ values: { proof: { time: 'tomorrow' } }, headers }, '"tomorrow"'],
    [{ values: { proof: { ...proof, encoding: 'percent' } }, headers }, 'a digest is not written as percent'],
    [{ values: { proof }, headers, bearer: 'x' }, 'unknown option "bearer"'],
  ])('is refused: %j', (signature, words) => {
    expect(messageOf(() => vendorConnector({}, { auth: { signature } }))).toContain(words);
  });
});

it('a key that is not marked as a secret is refused', () => {
  const values = { proof: { text: 'x', algorithm: 'sha1', key: '{{ options.token }}' } };
  const others = { options: { token: { type: 'string' } }, auth: { signature: { values, headers: { a: '{{ value.proof }}' } } } };

  expect(messageOf(() => vendorConnector({}, others))).toContain('the key comes from "token", which is no secret');
});

function messageOf(work: () => unknown): string {
  try {
    work();
    return '';
  } catch (error) {
    return asPenstockError(error).message;
  }
}
