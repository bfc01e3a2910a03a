import { isIP } from 'node:net';
import type { SASLOptions } from '@platformatic/kafka';
import type { LoadedTls, TokenSource } from '../../http/index.ts';
import type { ClientSettings } from './client.ts';
import { type BrokerAddress, type KafkaOptions, parseBroker } from './options.ts';

const longestConnectMs = 10_000;
// Of one the library makes endless.
const retries = 2;
const firstRetryMs = 250;

/**
 * The settings of a sink's next client; `trust` is set when the brokers are spoken to in TLS, `tokens` with `auth: {oauth2}`. `turn`: how many
 * there were. One of the brokers may hear and answer nothing until the time of a batch is over, so each client asks another one first.
 */
export function settingsOf(
  options: KafkaOptions,
  trust: LoadedTls | undefined,
  tokens: TokenSource | undefined,
  timeoutMs: number,
  turn: number,
): ClientSettings {
  const listed = options.brokers.map(parseBroker).filter((one) => one !== undefined);
  const first = turn % listed.length;
  const brokers = [...listed.slice(first), ...listed.slice(0, first)];
  const sasl = saslOf(options.auth, tokens);
  return {
    clientId: options.client_id,
    bootstrapBrokers: brokers.map(({ host, port }) => ({ host, port })),
    idempotent: true,
    compression: options.compression,
    autocreateTopics: false,
    // So that the last of the brokers is reached in time when the others are silent.
    connectTimeout: Math.min(longestConnectMs, timeoutMs / (brokers.length + 2)),
    // Repeating has to fit into the time of one batch, and the broker has to give up on its replicas before its answer is given up.
    requestTimeout: timeoutMs / 2,
    timeout: Math.ceil(timeoutMs / 3),
    // Some, under the sequence numbers of the first attempt: a new leader or a broken connection costs no duplicates. The rest is deliver's.
    retries,
    retryDelay: (_client, _operation, attempt) => firstRetryMs * 2 ** (attempt - 1),
    // Its one look at the wall clock: set back, it asks for leaders after the next failure.
    metadataMaxAge: 60_000,
    ...(trust === undefined ? {} : tlsOf(brokers, trust)),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function tlsOf(
  brokers: readonly BrokerAddress[],
  { pin: _pin, insecure: _insecure, ...options }: LoadedTls,
): Pick<ClientSettings, 'tls' | 'tlsServerName'> {
  // The name of each broker goes into its handshake, which gateways in front of clusters need; an address is no such name.
  const isNamed = brokers.every(({ host }) => isIP(host) === 0);
  return { tls: { minVersion: 'TLSv1.2', ...options }, tlsServerName: options.servername === undefined && isNamed };
}

function saslOf(auth: KafkaOptions['auth'] = {}, tokens: TokenSource | undefined): SASLOptions | undefined {
  const { plain, scram_sha_256, scram_sha_512, oauth2 } = auth;
  if (plain !== undefined) return { mechanism: 'PLAIN', ...plain };
  if (scram_sha_256 !== undefined) return { mechanism: 'SCRAM-SHA-256', ...scram_sha_256 };
  if (scram_sha_512 !== undefined) return { mechanism: 'SCRAM-SHA-512', ...scram_sha_512 };
  if (oauth2 === undefined || tokens === undefined) return undefined;
  const { extensions } = oauth2;
  return {
    mechanism: 'OAUTHBEARER',
    token: () => tokens.token(),
    ...(extensions === undefined ? {} : { oauthBearerExtensions: extensions }),
  };
}
