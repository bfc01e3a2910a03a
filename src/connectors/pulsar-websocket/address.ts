import { PenstockError } from '../../base/errors.ts';

/** One topic of a subscription as the service addresses it. */
export interface Subscription {
  /** `persistent://tenant/namespace/topic`. */
  readonly topic: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

interface SubscriptionParts {
  /** Service address, with `/ws/v2` or without a path. */
  readonly service: string;
  readonly topics: readonly string[];
  readonly subscription: string;
  readonly token: string | undefined;
  /** Ports that read the token from the query. */
  readonly queryPorts: readonly number[];
  /** `header` or `query`; undefined lets the port decide. */
  readonly tokenIn: string | undefined;
  readonly receiverQueue: number;
}

/**
 * The consumer addresses of a durable subscription of type Failover: one consumer receives, in order, another takes over when it goes.
 *
 * Throws PEN_CONFIG_INVALID for an invalid address or topic. Source: https://pulsar.apache.org/docs/client-libraries-websocket/
 */
export function subscriptionsOf(parts: SubscriptionParts): Subscription[] {
  const service = serviceOf(parts.service);
  const { token, subscription, receiverQueue } = parts;
  const isQuery = parts.tokenIn === undefined ? parts.queryPorts.includes(Number(service.port)) : parts.tokenIn === 'query';
  const inQuery = token !== undefined && isQuery;
  return parts.topics.map((text) => {
    const topic = topicOf(text);
    const path = ['consumer', topic.domain, ...topic.names, subscription].map(encodeURIComponent).join('/');
    const url = new URL(`${service.href.replace(/\/+$/, '')}/${path}`);
    url.searchParams.set('subscriptionType', 'Failover');
    url.searchParams.set('receiverQueueSize', String(receiverQueue));
    if (inQuery) url.searchParams.set('token', token);
    const headers: Record<string, string> = token === undefined || inQuery ? {} : { authorization: `Bearer ${token}` };
    return { topic: `${topic.domain}://${topic.names.join('/')}`, url, headers };
  });
}

function serviceOf(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !['ws:', 'wss:'].includes(url.protocol) || url.username !== '' || url.search !== '') {
    throw new PenstockError('PEN_CONFIG_INVALID', 'the WebSocket address is invalid', {
      fix: 'write wss://host:port/ws/v2, without credentials or a query',
    });
  }
  if (url.pathname === '/') url.pathname = '/ws/v2';
  return url;
}

function topicOf(text: string): { domain: string; names: string[] } {
  const match = /^(?:(persistent|non-persistent):\/\/)?([^/]+)\/([^/]+)\/([^/]+)$/.exec(text.trim());
  if (match === null) {
    throw new PenstockError('PEN_CONFIG_INVALID', `"${text}" is not a topic`, {
      fix: 'write persistent://tenant/namespace/topic',
    });
  }
  const [, domain = 'persistent', ...names] = match;
  return { domain, names };
}
