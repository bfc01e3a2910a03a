// What `auth:` of a connector.yaml may say. The descriptions become the documentation and the hints in error messages.
import { type Static, type TProperties, Type } from 'typebox';
import { PathsSpec } from '../event/index.ts';
import { closed, duration, oneOf, template } from './request-section.ts';

const headerName = Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", description: 'Header name.' });

/** One of both may be empty: a key is often the name, or the password, of nobody. */
const basic = Type.Optional(
  Type.Object(
    {
      username: Type.String({ description: 'User name; may be empty.' }),
      password: Type.String({ description: 'Password; may be empty.' }),
    },
    { ...closed, description: 'HTTP Basic.' },
  ),
);
/** Of whatever gets a token: how requests carry it. */
const carried = {
  header: Type.Optional(
    Type.Object(
      { name: headerName, value: template('Its value, with {{ token }}.') },
      { ...closed, description: 'The header that carries the token; Authorization: Bearer by default.' },
    ),
  ),
};
/** Of every grant: what its token is called. */
const reply = { token: Type.Optional(PathsSpec), expires: Type.Optional(PathsSpec), ...carried };
const tokenUrl = template('URL of the token endpoint.');
const scope = Type.Optional(template('Scopes, separated by blanks.'));
const keyId = Type.Optional(template('Id of the key, the kid of its JWTs.'));
const algorithm = Type.Optional(
  oneOf(
    ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'],
    'How JWTs are signed; by default as the key fits, RS256 for RSA.',
  ),
);

/** Of every grant of a client: who asks. */
const client = (withoutProof: string) => ({
  token_url: tokenUrl,
  client_id: template('Client id.'),
  client_secret: Type.Optional(template(`Client secret; this or private_key${withoutProof}.`)),
  private_key: Type.Optional(template('Private key in PEM, by which the client proves itself (private_key_jwt).')),
  key_id: keyId,
  algorithm,
  scope,
  auth_style: Type.Optional(oneOf(['body', 'basic'], 'Secret as form field or as an Authorization header; body by default.')),
});

const form = Type.Optional(
  Type.Record(Type.String(), Type.String(), {
    description: 'Further fields of the form, templates; one called grant_type takes the place of the usual.',
  }),
);
/** Of every JWT that stands for the caller. */
const signed = (audience: string, lifetime: string) => ({
  key: template('JSON key of a service account (client_email, private_key, token_uri), or a private key in PEM.'),
  issuer: Type.Optional(template('Who signs; by default client_email of the key.')),
  subject: Type.Optional(template('On whose behalf.')),
  audience: Type.Optional(template(audience)),
  claims: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Further claims, templates.' })),
  lifetime: Type.Optional(duration(`From its issue to its end, ${lifetime} by default.`)),
  key_id: keyId,
  algorithm,
});

const grant = <T extends TProperties>(description: string, properties: T) =>
  Type.Optional(Type.Object({ ...properties, ...reply }, { ...closed, description }));

/** `auth.login` */
const LoginSpec = Type.Object(
  {
    url: template('The address that answers with a token.'),
    headers: Type.Optional(Type.Record(headerName, Type.String(), { description: 'Headers, templates.' })),
    basic,
    body: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'What is sent, as JSON; texts in it are templates.' }),
    ),
    body_format: Type.Optional(oneOf(['json', 'form'], 'How the body is written; json by default.')),
    token: Type.Optional(PathsSpec),
    token_header: Type.Optional(headerName),
    expires: Type.Optional(PathsSpec),
    lifetime: Type.Optional(duration('How long a token lives, where the answer does not say; 5m by default.')),
    ...carried,
  },
  { ...closed, description: "A POST of the vendor's own that answers with a token; it is cached and renewed." },
);

/** A value of `auth.signature`: the time, something random, or a text, which may be digested or signed. */
const SignatureValue = Type.Object(
  {
    time: Type.Optional(
      Type.String({
        pattern: '^(http|rfc3339|epoch_(s|ms|us|ns)|.*(yyyy|dd|HH).*)$',
        description: 'The time of the request: http, rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns, or a pattern in UTC.',
      }),
    ),
    random: Type.Optional(oneOf(['uuid', 'hex'], 'Another one for each request: a UUID, or 32 hex digits.')),
    text: Type.Optional(
      Type.String({ description: 'A template of options, {{ request.* }} and {{ value.NAME }} of values that stand before.' }),
    ),
    algorithm: Type.Optional(
      oneOf(['md5', 'sha1', 'sha256', 'sha384', 'sha512'], 'How the text is digested; with a key its HMAC.'),
    ),
    key: Type.Optional(template('The key of an HMAC, such as {{ options.secret }}.')),
    key_is: Type.Optional(oneOf(['text', 'hex', 'base64', 'base64url'], 'How the key is written; text by default.')),
    encoding: Type.Optional(
      oneOf(
        ['hex', 'upper_hex', 'base64', 'base64url', 'hex_base64', 'percent', 'sorted_query'],
        'How the value is written; hex by default, a text without algorithm as it is. hex_base64 is the base64 of the hex; percent and sorted_query are for texts.',
      ),
    ),
    skip_empty: Type.Optional(
      Type.Boolean({ description: 'True where an empty text gives an empty value, and no digest of nothing.' }),
    ),
  },
  { ...closed, description: 'A value.' },
);

/** `auth.signature` */
const SignatureSpec = Type.Object(
  {
    values: Type.Record(Type.String({ pattern: '^[a-z][a-z0-9_]*$' }), SignatureValue, {
      minProperties: 1,
      description: 'What a request is proven by, in order: times, texts, digests, signatures.',
    }),
    headers: Type.Optional(
      Type.Record(headerName, Type.String(), { minProperties: 1, description: 'Headers, templates as text is.' }),
    ),
    basic,
    query: Type.Optional(
      Type.Record(Type.String(), Type.String(), { minProperties: 1, description: 'Query parameters, templates as text is.' }),
    ),
  },
  { ...closed, description: 'Each request is signed, again for each try.' },
);
export type SignatureSpec = Static<typeof SignatureSpec>;

/** `auth:` */
export const AuthSpec = Type.Object(
  {
    basic,
    bearer: Type.Optional(template('The token of `Authorization: Bearer`.')),
    header: Type.Optional(
      Type.Object(
        {
          name: headerName,
          value: template('Header value.'),
        },
        { ...closed, description: 'A header of its own.' },
      ),
    ),
    oauth2_client_credentials: grant('OAuth 2.0 client credentials; tokens are cached and renewed.', {
      ...client(''),
      audience: Type.Optional(template('Audience.')),
      form,
    }),
    oauth2_refresh_token: grant(
      'OAuth 2.0 refresh token; a new one that an answer brings is kept in data_dir before it is used.',
      {
        ...client(', or none for a public client'),
        refresh_token: template('The refresh token that a person got; those that follow are kept.'),
        form,
      },
    ),
    oauth2_jwt_bearer: grant('OAuth 2.0 JWT bearer, as of a service account.', {
      token_url: Type.Optional(template('URL of the token endpoint; by default token_uri of the key.')),
      ...signed('Whom the JWT is for; by default the token endpoint.', '1h'),
      scope,
      form,
    }),
    jwt: Type.Optional(
      Type.Object(
        { ...signed('Whom the JWT is for.', '10m'), ...carried },
        { ...closed, description: 'A JWT that the connector signs, as `Authorization: Bearer`; nothing is exchanged.' },
      ),
    ),
    login: Type.Optional(LoginSpec),
    signature: Type.Optional(SignatureSpec),
  },
  {
    ...closed,
    maxProperties: 1,
    description:
      'How requests authenticate: one of basic, bearer, header, oauth2_client_credentials, oauth2_refresh_token, oauth2_jwt_bearer, jwt, login, signature.',
  },
);
export type AuthSpec = Static<typeof AuthSpec>;
