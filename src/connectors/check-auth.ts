// What is wrong with `auth:` of a connector.yaml that its schema accepts.
import type { Fault, YamlPath, YamlText } from '../base/yaml-faults.ts';
import type { ConnectorSpec } from './connector-schema.ts';
import { optionNames } from './options.ts';
import { compileTemplate, type Place, templateFaults, textsBelow } from './template.ts';

const grants = ['oauth2_client_credentials', 'oauth2_refresh_token'] as const;

/** How a client proves itself must be said, and said in one piece. */
export function checkAuth(spec: ConnectorSpec, doc: YamlText): Fault[] {
  return [
    ...checkGrants(spec.auth, doc),
    ...checkSignature(spec, doc),
    ...checkLogin(spec.auth, doc),
    ...checkCarried(spec, doc),
    ...checkMarks(spec, doc),
  ];
}

/** A credential that is not marked as one is shown in errors and stored in links. */
function checkMarks({ auth = {}, options }: ConnectorSpec, doc: YamlText): Fault[] {
  const { bearer, basic, header, oauth2_client_credentials: client, oauth2_refresh_token: refresh } = auth;
  const { oauth2_jwt_bearer: assertion, jwt } = auth;
  const proofs: Record<string, Readonly<Record<string, string | undefined>>> = {
    '': { bearer },
    // A key may stand in the place of either.
    basic: { [basic?.password === '' ? 'username' : 'password']: basic?.password || basic?.username },
    header: { value: header?.value },
    oauth2_client_credentials: { client_secret: client?.client_secret, private_key: client?.private_key },
    oauth2_refresh_token: {
      refresh_token: refresh?.refresh_token,
      client_secret: refresh?.client_secret,
      private_key: refresh?.private_key,
    },
    oauth2_jwt_bearer: { key: assertion?.key },
    jwt: { key: jwt?.key },
  };
  return Object.entries(proofs).flatMap(([kind, texts]) =>
    Object.entries(texts).flatMap(([key, text = '']) => {
      const named = compileTemplate(text).names.flatMap((name) => options[name.replace('options.', '')] ?? []);
      if (named.length === 0 || named.some(({ secret }) => secret === true)) return [];
      const path = ['auth', ...(kind === '' ? [] : [kind]), key];
      return [doc.fault(path, 'the credential comes from an option that is no secret', 'mark the option secret: true')];
    }),
  );
}

/** The texts of `auth:` that know nothing but options. */
export function authTexts(auth: ConnectorSpec['auth'] = {}): Place[] {
  const places = textsBelow({ ...auth, signature: undefined }, ['auth']);
  return places.filter(([[, kind, part]]) => kind === 'header' || part !== 'header');
}

function checkLogin({ login }: NonNullable<ConnectorSpec['auth']> = {}, doc: YamlText): Fault[] {
  if (login === undefined) return [];
  const fault = (path: YamlPath, what: string, fix: string): Fault => doc.fault(['auth', 'login', ...path], what, fix, 'key');
  const nested =
    login.body_format === 'form' ? Object.entries(login.body ?? {}).filter(([, value]) => typeof value === 'object') : [];
  return [
    ...((login.token === undefined) === (login.token_header === undefined)
      ? [fault([], 'the token is in the body or in a header', 'set one of token: path and token_header: name')]
      : []),
    ...nested.map(([name]) => fault(['body', name], `a form has no members below "${name}"`, 'give each field a text')),
  ];
}

/** A header that is to carry the token has a place for it. */
function checkCarried({ auth = {}, options }: ConnectorSpec, doc: YamlText): Fault[] {
  const { oauth2_client_credentials: client, oauth2_refresh_token: refresh, oauth2_jwt_bearer: bearer, jwt, login } = auth;
  const carrying = { oauth2_client_credentials: client, oauth2_refresh_token: refresh, oauth2_jwt_bearer: bearer, jwt, login };
  return Object.entries(carrying).flatMap(([kind, { header } = {}]) => {
    if (header === undefined) return [];
    const path = ['auth', kind, 'header', 'value'];
    const isCarried = compileTemplate(header.value).names.includes('token');
    return [
      ...templateFaults([[path, header.value]], [...optionNames(options), 'token'], doc),
      ...(isCarried ? [] : [doc.fault(path, 'the header does not carry the token', 'write {{ token }} where it goes')]),
    ];
  });
}

function checkGrants(auth: ConnectorSpec['auth'] = {}, doc: YamlText): Fault[] {
  return grants.flatMap((name) => {
    const grant = auth[name];
    if (grant === undefined || grant.private_key !== undefined) return [];
    const stray = (['key_id', 'algorithm'] as const).filter((key) => grant[key] !== undefined);
    const isBare = name === 'oauth2_client_credentials' && grant.client_secret === undefined && grant.form === undefined;
    return [
      ...stray.map((key) =>
        doc.fault(['auth', name, key], 'there is no key that signs', 'add private_key, or leave this out', 'key'),
      ),
      ...(isBare
        ? [doc.fault(['auth', name], 'nothing proves who the client is', 'add client_secret or private_key', 'key')]
        : []),
    ];
  });
}

const requestNames = ['method', 'scheme', 'host', 'hostname', 'address', 'path', 'query', 'sorted_query', 'path_query', 'body'];

/** Each value is one thing, made of what stands before it, and something of it must go into the request. */
function checkSignature({ auth, options }: ConnectorSpec, doc: YamlText): Fault[] {
  const { signature } = auth ?? {};
  if (signature === undefined) return [];
  const { values, ...sent } = signature;
  const at = ['auth', 'signature'];
  const known = [...optionNames(options), ...requestNames.map((name) => `request.${name}`)];
  const faults = Object.entries(values).flatMap(([name, value]) => {
    const path = [...at, 'values', name];
    const found = [
      ...signatureValueFaults(value, path, doc),
      ...openKeyFaults(value, path, options, doc),
      ...templateFaults(textsBelow(value, path), [...known], doc),
    ];
    known.push(`value.${name}`);
    return found;
  });
  const places = textsBelow(sent, at);
  const isSent = places.some(([, text]) => compileTemplate(text).names.some((name) => name.startsWith('value.')));
  return [
    ...faults,
    ...templateFaults(places, known, doc),
    ...(isSent
      ? []
      : [doc.fault(at, 'no value goes into the request', 'add headers, basic or query that name {{ value.NAME }}', 'key')]),
  ];
}

/** A key is in no request, so that nothing but its mark tells that it must not be shown. */
function openKeyFaults(
  { key = '' }: SignatureValues[string],
  path: YamlPath,
  options: ConnectorSpec['options'],
  doc: YamlText,
): Fault[] {
  const named = compileTemplate(key).names.map((name) => name.replace('options.', ''));
  return named
    .filter((name) => options[name] !== undefined && options[name].secret !== true)
    .map((name) =>
      doc.fault([...path, 'key'], `the key comes from "${name}", which is no secret`, 'mark the option secret: true'),
    );
}

type SignatureValues = NonNullable<NonNullable<ConnectorSpec['auth']>['signature']>['values'];

function signatureValueFaults(value: SignatureValues[string], path: YamlPath, doc: YamlText): Fault[] {
  const { time, random, text, algorithm, key, key_is: form, encoding, skip_empty: skips } = value;
  const fault = (what: string, fix: string): Fault[] => [doc.fault(path, what, fix, 'key')];
  if ([time, random, text].filter((one) => one !== undefined).length !== 1)
    return fault('a value is one of time, random and text', 'keep one of them');
  const isOfText = [algorithm, key, form, encoding, skips].some((one) => one !== undefined);
  if (text === undefined && isOfText) return fault('only a text is signed', 'name this value in the text of another one');
  if (key !== undefined && algorithm === undefined) return fault('a key signs by no algorithm', 'add algorithm: sha256');
  if (algorithm !== undefined && (encoding === 'percent' || encoding === 'sorted_query'))
    return fault(`a digest is not written as ${encoding}`, 'write another value whose text names this one');
  if (form !== undefined && key === undefined) return fault('there is no key', 'add key, or leave key_is out');
  return [];
}
