// Every option of connector.yaml's auth:, read: and record: changes what is asked, what is read, or what a source does by default.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { compileBundle } from '../../src/connectors/compile.ts';
import type { Page, Reader, WindowReader } from '../../src/connectors/connector.ts';
import { skippingClock } from '../connectors/open-source.ts';
import { actions } from '../connectors/vendor.ts';
import { type Case, nested, recordingClient, type Values } from './cases.ts';
import { options } from './schemas.ts';

const clientCredentials = {
  'auth.oauth2_client_credentials.token_url': 'https://token.example.com/t',
  'auth.oauth2_client_credentials.client_id': 'id',
  'auth.oauth2_client_credentials.client_secret': 'secret',
};
const makePem = (): string =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const [pem, otherPem] = [makePem(), makePem()];
const signing = {
  'auth.oauth2_jwt_bearer.key': JSON.stringify({
    client_email: 'a@b.example',
    private_key: pem,
    token_uri: 'https://token.example.com/t',
  }),
};
const refreshing = {
  'auth.oauth2_refresh_token.token_url': 'https://token.example.com/t',
  'auth.oauth2_refresh_token.client_id': 'id',
  'auth.oauth2_refresh_token.refresh_token': 'r1',
};
const keyed = { ...refreshing, 'auth.oauth2_refresh_token.private_key': pem };
const jwt = { 'auth.jwt.key': pem, 'auth.jwt.issuer': 'app', 'auth.jwt.subject': 'u' };
const basic = { 'auth.basic.username': 'u', 'auth.basic.password': 'p' };
const header = { 'auth.header.name': 'x-a', 'auth.header.value': 'v' };
const proven = { 'auth.signature.values': { proof: { text: '{{ request.path }}', algorithm: 'sha256' } } };
const inHeader = { ...proven, 'auth.signature.headers': { 'x-proof': '{{ value.proof }}' } };
const inBasic = { ...proven, 'auth.signature.basic.username': 'u', 'auth.signature.basic.password': '{{ value.proof }}' };
const loggingIn = {
  'auth.login.url': 'https://token.example.com/login',
  'auth.login.body': { user: 'u' },
  'auth.login.token': 'access_token',
};
const loginBasic = { ...loggingIn, 'auth.login.basic.username': 'u', 'auth.login.basic.password': 'p' };
const carried = (kind: string): Values => ({
  [`auth.${kind}.header.name`]: 'x-a',
  [`auth.${kind}.header.value`]: 'T {{ token }}',
});
const carriedCases = (kind: string, beside: Values): Record<string, Case> => ({
  [`${kind}.header.name`]: ['x-b', { ...beside, ...carried(kind) }],
  [`${kind}.header.value`]: ['{{ token }}', { ...beside, ...carried(kind) }],
});
const self = { 'record.self.actions': ['read'], 'record.self.user_agent': 'agent' };
const joined = { 'record.action': undefined, 'record.action.join': ['action', 'kind'], 'record.action.with': '.' };
const post = { 'read.request.method': 'POST' };
const query = (more: Values): Values => ({ from: '{{ window.from }}', to: '{{ window.to }}', n: '{{ page.limit }}', ...more });
const byToken = {
  'read.page.kind': 'token',
  'read.page.token': 'next',
  'read.request.query': query({ after: '{{ page.token }}' }),
};
/** A token in the body of a POST. */
const inBody = (at: string): Values => ({
  [`${at}page.kind`]: 'token',
  [`${at}page.token`]: 'next',
  [`${at}request.method`]: 'POST',
  [`${at}request.body`]: { from: '{{ window.from }}', after: '{{ page.token }}' },
});
const byLink = { 'read.page.kind': 'link', 'read.page.link': 'self' };
const byNumber = {
  'read.page.kind': 'page_number',
  'read.page.size': 2,
  'read.request.query': query({ page: '{{ page.number }}' }),
};
const byOffset = { 'read.page.size': 1, 'read.request.query': query({ skip: '{{ page.offset }}' }) };

const shared: Values = {
  name: 'vendor',
  map: {},
  options: {},
  actions: './actions.yaml',
  'record.id': 'id',
  'record.time': 'time',
  'record.action': 'action',
};

const window: Values = {
  ...shared,
  'read.kind': 'http_window',
  'read.schedule': '1m',
  'read.request.url': 'https://api.example.com/v1/logs',
  'read.request.query': query({}),
  'read.page.kind': 'none',
  'read.records': 'data',
  'read.window.overlap': '5m',
  'read.window.settle': '30s',
  'read.window.max': '24h',
};
const cursor: Values = {
  ...shared,
  'read.kind': 'http_cursor',
  'read.schedule': '1m',
  'read.request.url': 'https://api.example.com/v1/logs',
  'read.request.query': { from: '{{ window.from }}', after: '{{ page.token }}', n: '{{ page.limit }}' },
  'read.page.kind': 'token',
  'read.page.token': 'next',
  'read.records': 'data',
  'read.cursor.overlap': '5m',
  'read.range.request.url': 'https://api.example.com/v1/ranges',
  'read.range.request.query': query({ after: '{{ page.token }}' }),
};
const cursorByLink = { 'read.page.kind': 'link', 'read.page.link': 'self' };
const rangeBy = (kind: string): Values => ({ 'read.range.page.kind': kind });
const rangeByLink = { 'read.range.page.kind': 'link', 'read.range.page.link': 'self' };
const grouped: Values = {
  'read.groups.request.url': 'https://api.example.com/v1/orgs',
  'read.groups.page.kind': 'none',
  'read.groups.records': 'data',
  'read.groups.id': 'id',
  'read.groups.into': 'group',
};
const groupedByNumber: Values = {
  ...grouped,
  'read.groups.page.kind': 'page_number',
  'read.groups.page.size': 2,
  'read.groups.request.query': { page: '{{ page.number }}' },
  'read.max_pages': 3,
};
const groupedByToken = {
  ...grouped,
  'read.groups.request.query': { after: '{{ page.token }}' },
  'read.groups.page.kind': 'token',
  'read.groups.page.token': 'next',
};
const groupedByLink = {
  ...grouped,
  'read.groups.request.query': { all: 'yes' },
  'read.groups.page.kind': 'link',
  'read.groups.page.link': 'self',
};
const detailed = { 'read.details.url': 'https://api.example.com/v1/logs/{{ record.id }}' };
const folder: Values = {
  ...shared,
  'read.kind': 'csv_directory',
  'read.schedule': '1m',
  'read.directory': '%FOLDER%',
  'read.columns': { id: [], time: [], action: [] },
};
const stream: Values = {
  ...shared,
  'read.kind': 'pulsar_websocket',
  'read.url': 'ws://pulsar.example.com:8080/ws/v2',
  'read.topics': ['persistent://t/n/a'],
  'read.subscription': 'penstock',
};

const sql: Values = { 'read.records': 'rows', 'read.columns.at': 'cols', 'read.columns.name': 'name' };
const celled: Values = { ...sql, 'read.records': 'cells' };
const waiting: Values = {
  'read.request.url': 'https://api.example.com/wait',
  'read.statuses': { 202: 'pending' },
  'read.pending.every': '2s',
};
const linked: Values = { ...waiting, 'read.pending.link': 'self' };
/** Of both kinds that ask an API. */
const replies: Readonly<Record<string, Case>> = {
  records_into: ['kind'],
  records_are: ['map', { 'read.records': 'named' }],
  'columns.at': ['others', sql],
  'columns.name': ['title', sql],
  'columns.row': ['f', celled],
  'columns.value': ['v', { ...celled, 'read.columns.row': 'f' }],
  'reply.trailer': ['one', { 'read.reply.format': 'ndjson', 'read.records': '$' }],
  storage: [['files.example.net'], { 'read.details.link': 'away' }],
  'pending.link': ['href', linked],
  'pending.header': ['x-next', waiting],
  'pending.url': ['https://api.example.com/v1/jobs/{{ reply.one }}', waiting],
  'pending.every': ['7s', linked],
  'pending.at_most': ['9s', waiting],
};

interface Language {
  readonly name: string;
  readonly prefix: string;
  readonly base: Values;
  readonly cases: Readonly<Record<string, Case>>;
}

const languages: readonly Language[] = [
  {
    name: 'auth',
    prefix: 'auth.',
    base: window,
    cases: {
      'basic.username': ['u2', basic],
      'basic.password': ['p2', basic],
      bearer: ['tok-1'],
      'header.name': ['x-b', header],
      'header.value': ['v2', header],
      'oauth2_client_credentials.token_url': ['https://token.example.com/t2', clientCredentials],
      'oauth2_client_credentials.client_id': ['id2', clientCredentials],
      'oauth2_client_credentials.client_secret': ['secret2', clientCredentials],
      'oauth2_client_credentials.scope': ['logs', clientCredentials],
      'oauth2_client_credentials.audience': ['siem', clientCredentials],
      'oauth2_client_credentials.auth_style': ['basic', clientCredentials],
      'oauth2_client_credentials.form': [{ account_id: 'acme' }, clientCredentials],
      'oauth2_client_credentials.token': ['next', clientCredentials],
      'oauth2_client_credentials.expires': ['count', clientCredentials],
      'oauth2_client_credentials.private_key': [pem, clientCredentials],
      'oauth2_client_credentials.key_id': ['k2', { ...clientCredentials, 'auth.oauth2_client_credentials.private_key': pem }],
      'oauth2_client_credentials.algorithm': [
        'RS512',
        { ...clientCredentials, 'auth.oauth2_client_credentials.private_key': pem },
      ],
      'oauth2_refresh_token.token_url': ['https://token.example.com/t2', refreshing],
      'oauth2_refresh_token.refresh_token': ['r2', refreshing],
      'oauth2_refresh_token.client_id': ['id2', refreshing],
      'oauth2_refresh_token.client_secret': ['cs2', refreshing],
      'oauth2_refresh_token.scope': ['logs', refreshing],
      'oauth2_refresh_token.auth_style': ['basic', { ...refreshing, 'auth.oauth2_refresh_token.client_secret': 'cs' }],
      'oauth2_refresh_token.form': [{ resource: 'logs' }, refreshing],
      'oauth2_refresh_token.private_key': [pem, refreshing],
      'oauth2_refresh_token.key_id': ['k2', keyed],
      'oauth2_refresh_token.algorithm': ['RS512', keyed],
      'oauth2_refresh_token.token': ['next', refreshing],
      'oauth2_refresh_token.expires': ['count', refreshing],
      'oauth2_jwt_bearer.key': [pem, { ...signing, 'auth.oauth2_jwt_bearer.token_url': 'https://token.example.com/t2' }],
      'oauth2_jwt_bearer.token_url': ['https://token.example.com/t2', signing],
      'oauth2_jwt_bearer.issuer': ['me', signing],
      'oauth2_jwt_bearer.subject': ['admin@example.com', signing],
      'oauth2_jwt_bearer.audience': ['them', signing],
      'oauth2_jwt_bearer.claims': [{ box_sub_type: 'enterprise' }, signing],
      'oauth2_jwt_bearer.lifetime': ['45s', signing],
      'oauth2_jwt_bearer.form': [{ client_id: 'id' }, signing],
      'oauth2_jwt_bearer.key_id': ['k2', signing],
      'oauth2_jwt_bearer.algorithm': ['RS512', signing],
      'oauth2_jwt_bearer.scope': ['logs', signing],
      'oauth2_jwt_bearer.token': ['next', signing],
      'oauth2_jwt_bearer.expires': ['count', signing],
      'jwt.key': [otherPem, jwt],
      'jwt.issuer': ['me', jwt],
      'jwt.subject': ['admin@example.com', jwt],
      'jwt.audience': ['them', jwt],
      'jwt.claims': [{ role: 'auditor' }, jwt],
      'jwt.lifetime': ['45s', jwt],
      'jwt.key_id': ['k2', jwt],
      'jwt.algorithm': ['RS512', jwt],
      ...carriedCases('oauth2_client_credentials', clientCredentials),
      ...carriedCases('oauth2_refresh_token', refreshing),
      ...carriedCases('oauth2_jwt_bearer', signing),
      ...carriedCases('jwt', jwt),
      ...carriedCases('login', loggingIn),
      'login.url': ['https://token.example.com/other', loggingIn],
      'login.headers': [{ 'x-a': 'b' }, loggingIn],
      'login.basic.username': ['u2', loginBasic],
      'login.basic.password': ['p2', loginBasic],
      'login.body': [{ user: 'u2' }, loggingIn],
      'login.body_format': ['form', loggingIn],
      'login.token': ['next', loggingIn],
      'login.token_header': ['x-next', { ...loggingIn, 'auth.login.token': undefined, 'auth.login.token_header': 'x-other' }],
      'login.expires': ['soon', loggingIn],
      'login.lifetime': ['1s', loggingIn],
      'signature.values': [{ proof: { text: '{{ request.host }}' } }, inHeader],
      'signature.headers': [{ 'x-other': '{{ value.proof }}' }, inHeader],
      'signature.query': [{ proof: '{{ value.proof }}' }, inHeader],
      'signature.basic.username': ['u2', inBasic],
      'signature.basic.password': ['x{{ value.proof }}', inBasic],
    },
  },
  {
    name: 'record',
    prefix: 'record.',
    base: window,
    cases: {
      id: ['other'],
      hash: [['action'], { 'record.id': undefined, 'record.hash': ['id'] }],
      hash_is_id: [true, { 'record.id': undefined, 'record.hash': ['id'] }],
      volatile: [['agent']],
      each: ['parts'],
      time: ['later'],
      zone: ['Europe/Berlin', { 'record.time': 'local' }],
      'action.join': [['kind', 'action'], joined],
      'action.with': ['-', joined],
      'action.value': ['Sign-in', { 'record.action': undefined, 'record.action.value': 'Other' }],
      tenant: ['org'],
      'self.actions': [['other'], self],
      'self.user_agent': ['kind', self],
    },
  },
  {
    name: 'read http_window',
    prefix: 'read.',
    base: window,
    cases: {
      schedule: ['3m'],
      'request.method': ['POST'],
      'request.url': ['https://api.example.com/v2/logs'],
      'request.headers': [{ 'x-a': 'b' }],
      'request.query': [query({ order: 'asc' })],
      'request.body': [{ since: '{{ window.from }}' }, post],
      'request.body_format': ['form', { ...post, 'read.request.body': { since: '{{ window.from }}' } }],
      'request.first.method': ['POST'],
      'request.first.url': ['https://api.example.com/v1/other'],
      'request.later.method': ['POST', byToken],
      'request.later.url': ['https://api.example.com/v1/other', byToken],
      'page.whole': [true, { 'read.page.size': 1 }],
      'request.first.query': [{ order: 'asc' }],
      'request.first.body': [{ since: '{{ window.from }}' }, post],
      'request.later.query': [{ from: null }, byToken],
      'request.later.body': [{ since: '{{ window.from }}' }, { ...byToken, ...post }],
      'request.timeout': ['3s'],
      'request.max_bytes': ['3MB'],
      'page.kind': ['offset', byOffset],
      'page.size': [7],
      'page.total': ['count'],
      'page.token': ['more', byToken],
      'page.token_is': ['json', inBody('read.')],
      'page.link': ['href', byLink],
      'page.header': ['x-other', { ...byLink, 'read.page.header': 'x-next' }],
      'page.link_query': ['kept', { ...byLink, 'read.page.link': 'bare' }],
      'page.link_host': ['ignored', { ...byLink, 'read.page.link': 'foreign' }],
      'page.first': [0, byNumber],
      'page.more': ['no', { ...byNumber, 'read.page.size': 1 }],
      'page.cap': [5],
      'page.end': ['t1', byToken],
      'page.empty_page': ['ends', { ...byToken, 'read.records': 'none' }],
      'reply.format': ['csv'],
      'reply.charset': ['utf-16le'],
      'reply.columns': [{ time: ['{"data":[{"id":"r1"'] }, { 'read.reply.format': 'csv' }],
      records: ['none'],
      records_missing: ['empty', { 'read.records': 'nowhere', 'record.action': 'nothing' }],
      'window.overlap': ['3m'],
      'window.settle': ['3m'],
      'window.max': ['3h'],
      'window.min': ['3m'],
      'window.precision': ['s'],
      'window.format': ['epoch_ms'],
      'window.zone': ['Europe/Berlin', { 'read.window.format': 'yyyy-MM-dd HH:mm' }],
      'window.retention': ['3d'],
      newest_first: [true, byToken],
      ascending: [true],
      max_pages: [3],
      'sweep.query': [{ order: 'desc' }],
      'groups.request.method': ['POST', grouped],
      'groups.request.url': ['https://api.example.com/v2/orgs', grouped],
      'groups.request.headers': [{ 'x-a': 'b' }, grouped],
      'groups.request.query': [{ all: 'yes' }, grouped],
      'groups.request.body': [{ all: 'yes' }, { ...grouped, 'read.groups.request.method': 'POST' }],
      'groups.request.body_format': [
        'form',
        { ...grouped, 'read.groups.request.method': 'POST', 'read.groups.request.body': { all: 'yes' } },
      ],
      'groups.request.first.method': ['POST', grouped],
      'groups.request.first.url': ['https://api.example.com/v1/other', grouped],
      'groups.request.later.method': ['POST', groupedByToken],
      'groups.request.later.url': ['https://api.example.com/v1/other', groupedByToken],
      'groups.link': ['self', { ...grouped, 'read.groups.records': 'orgs' }],
      'groups.reply.format': ['ndjson', grouped],
      'groups.reply.charset': ['utf-16le', grouped],
      'groups.request.first.query': [{ order: 'asc' }, grouped],
      'groups.request.first.body': [{ all: 'yes' }, { ...grouped, 'read.groups.request.method': 'POST' }],
      'groups.request.later.query': [{ n: 1 }, groupedByToken],
      'groups.request.later.body': [{ all: 'yes' }, { ...groupedByToken, 'read.groups.request.method': 'POST' }],
      'groups.request.timeout': ['3s', grouped],
      'groups.request.max_bytes': ['3MB', grouped],
      'groups.page.kind': ['page_number', { ...grouped, 'read.max_pages': 3 }],
      'groups.page.size': [7, { ...grouped, 'read.groups.request.query': { n: '{{ page.limit }}' } }],
      'groups.page.whole': [true, { ...grouped, 'read.groups.page.size': 1 }],
      'groups.page.total': ['one', groupedByNumber],
      'groups.page.token': ['more', groupedByToken],
      'groups.page.token_is': [
        'json',
        { ...groupedByToken, ...inBody('read.groups.'), 'read.groups.request.body': { after: '{{ page.token }}' } },
      ],
      'groups.page.link': ['href', groupedByLink],
      'groups.page.header': ['x-next', groupedByLink],
      'groups.page.link_query': ['kept', { ...groupedByLink, 'read.groups.page.link': 'bare' }],
      'groups.page.link_host': ['ignored', { ...groupedByLink, 'read.groups.page.link': 'foreign' }],
      'groups.page.more': ['no', groupedByNumber],
      'groups.page.first': [0, { ...groupedByNumber, 'read.groups.page.more': 'no' }],
      'groups.page.empty_page': ['ends', { ...groupedByToken, 'read.groups.records': 'none' }],
      'groups.records': ['none', grouped],
      'groups.id': ['other', grouped],
      'groups.into': ['organization', grouped],
      'details.url': ['https://api.example.com/v1/logs/{{ record.id }}'],
      'details.link': ['self', { 'read.details.link': 'other_link' }],
      'details.method': ['POST', detailed],
      'details.body': [{ ids: ['{{ record.id }}'] }, { ...detailed, 'read.details.method': 'POST' }],
      'details.headers': [{ 'x-d': '{{ record.id }}' }, detailed],
      'details.record': ['data', detailed],
      'details.into': ['detail', detailed],
      'details.rate': ['1/20s', detailed],
      'details.timeout': ['3s', detailed],
      'details.max_bytes': ['3MB', detailed],
      ...replies,
      failures: [{ no: { false: 'refused' } }],
      statuses: [{ 403: 'empty' }, { 'read.request.url': 'https://api.example.com/refused' }],
      hints: [{ 403: 'ask the vendor for the right plan' }, { 'read.request.url': 'https://api.example.com/refused' }],
      seen_days: [3],
    },
  },
  {
    name: 'read http_cursor',
    prefix: 'read.',
    base: cursor,
    cases: {
      schedule: ['3m'],
      'request.method': ['POST'],
      'request.url': ['https://api.example.com/v2/logs'],
      'request.headers': [{ 'x-a': 'b' }],
      'request.query': [{ since: '{{ window.from }}', after: '{{ page.token }}' }],
      'request.body': [{ since: '{{ window.from }}' }, post],
      'request.body_format': ['form', { ...post, 'read.request.body': { since: '{{ window.from }}' } }],
      'request.first.method': ['POST'],
      'request.first.url': ['https://api.example.com/v1/other'],
      'request.later.method': ['POST'],
      'request.later.url': ['https://api.example.com/v1/other'],
      'request.now.method': ['POST', { 'read.request.now.query': { at: 'end' } }],
      'request.now.url': ['https://api.example.com/v1/other', { 'read.request.now.query': { at: 'end' } }],
      'range.page.whole': [true, { ...rangeBy('none'), 'read.range.page.size': 1 }],
      'request.first.query': [{ order: 'asc' }],
      'request.first.body': [{ since: '{{ window.from }}' }, post],
      'request.later.query': [{ n: null }],
      'request.later.body': [{ after: '{{ page.token }}' }, post],
      'request.now.query': [{ after: 'now' }],
      'request.now.body': [{ after: 'now' }, post],
      'request.timeout': ['3s'],
      'request.max_bytes': ['3MB'],
      'page.kind': ['link', { 'read.page.link': 'self' }],
      'page.size': [7],
      'page.token': ['more'],
      'page.token_is': ['json', inBody('read.')],
      'page.link': ['href', cursorByLink],
      'page.header': ['x-next', cursorByLink],
      'page.link_query': ['kept', { ...cursorByLink, 'read.page.link': 'bare' }],
      'page.link_host': ['ignored', { ...cursorByLink, 'read.page.link': 'foreign' }],
      'page.more': ['no'],
      'page.empty_page': ['continues'],
      'reply.format': ['csv'],
      'reply.charset': ['utf-16le'],
      'reply.columns': [{ time: ['{"data":[{"id":"r1"'] }, { 'read.reply.format': 'csv' }],
      records: ['none'],
      records_missing: ['empty', { 'read.records': 'nowhere', 'record.action': 'nothing' }],
      'cursor.overlap': ['3m'],
      'cursor.precision': ['s'],
      'cursor.format': ['epoch_ms'],
      'cursor.retention': ['3d'],
      'range.request.method': ['POST'],
      'range.request.url': ['https://api.example.com/v2/ranges'],
      'range.request.headers': [{ 'x-a': 'b' }],
      'range.request.query': [query({ order: 'asc', after: '{{ page.token }}' })],
      'range.request.body': [{ since: '{{ window.from }}' }, { 'read.range.request.method': 'POST' }],
      'range.request.body_format': [
        'form',
        { 'read.range.request.method': 'POST', 'read.range.request.body': { since: '{{ window.from }}' } },
      ],
      'range.request.first.method': ['POST'],
      'range.request.first.url': ['https://api.example.com/v1/other'],
      'range.request.later.method': ['POST'],
      'range.request.later.url': ['https://api.example.com/v1/other'],
      'range.request.first.query': [{ order: 'asc' }],
      'range.request.first.body': [{ since: '{{ window.from }}' }, { 'read.range.request.method': 'POST' }],
      'range.request.later.query': [{ from: null }],
      'range.request.later.body': [{ since: '{{ window.from }}' }, { 'read.range.request.method': 'POST' }],
      'range.request.timeout': ['3s'],
      'range.request.max_bytes': ['3MB'],
      'range.page.kind': ['none'],
      'range.page.size': [7, rangeBy('none')],
      'range.page.total': ['count', rangeBy('none')],
      'range.page.token_is': ['json', inBody('read.range.')],
      'range.page.token': ['more', { 'read.range.page.kind': 'token', 'read.range.page.token': 'next' }],
      'range.page.link': ['href', rangeByLink],
      'range.page.header': ['x-next', rangeByLink],
      'range.page.link_query': ['kept', { ...rangeByLink, 'read.range.page.link': 'bare' }],
      'range.page.link_host': ['ignored', { ...rangeByLink, 'read.range.page.link': 'foreign' }],
      'range.page.more': ['no', { ...rangeBy('page_number'), 'read.range.request.query': query({ page: '{{ page.number }}' }) }],
      'range.page.first': [0, { ...rangeBy('page_number'), 'read.range.request.query': query({ page: '{{ page.number }}' }) }],
      'range.page.cap': [5, rangeBy('none')],
      'range.page.end': ['t1', { 'read.range.page.kind': 'token', 'read.range.page.token': 'next' }],
      'range.page.empty_page': [
        'ends',
        { 'read.range.page.kind': 'token', 'read.range.page.token': 'next', 'read.range.records': 'none' },
      ],
      'range.records': ['none'],
      'range.max': ['3h'],
      'range.min': ['3m'],
      max_pages: [3],
      'details.url': ['https://api.example.com/v1/logs/{{ record.id }}'],
      'details.link': ['self', { 'read.details.link': 'other_link' }],
      'details.method': ['POST', detailed],
      'details.body': [{ ids: ['{{ record.id }}'] }, { ...detailed, 'read.details.method': 'POST' }],
      'details.headers': [{ 'x-d': '{{ record.id }}' }, detailed],
      'details.record': ['data', detailed],
      'details.into': ['detail', detailed],
      'details.rate': ['1/20s', detailed],
      'details.timeout': ['3s', detailed],
      'details.max_bytes': ['3MB', detailed],
      ...replies,
      failures: [{ no: { false: 'refused' } }],
      statuses: [{ 403: 'empty' }, { 'read.request.url': 'https://api.example.com/refused' }],
      hints: [{ 403: 'ask the vendor for the right plan' }, { 'read.request.url': 'https://api.example.com/refused' }],
      seen_days: [3],
    },
  },
  {
    name: 'read csv_directory',
    prefix: 'read.',
    base: folder,
    cases: {
      schedule: ['3m'],
      directory: ['%EMPTY%'],
      pattern: ['.txt'],
      columns: [{ id: [], time: [], action: ['kind'] }],
      required: [['missing']],
      max_bytes: ['1B'],
      retention: ['3d'],
      seen_days: [3],
    },
  },
  {
    name: 'read pulsar_websocket',
    prefix: 'read.',
    base: stream,
    cases: {
      url: ['ws://other.example.com:8080/ws/v2'],
      topics: [['persistent://t/n/b']],
      subscription: ['other', { 'read.admin': 'https://admin.example.com' }],
      token: ['token-2', { 'read.token': 'token-1' }],
      token_in_query_ports: [[8080], { 'read.token': 'token-1' }],
      token_in: ['query', { 'read.token': 'token-1' }],
      admin: ['https://admin.example.com'],
      receiver_queue: [7],
      retention: ['3d'],
      hints: [{ 401: 'ask the team of the broker for a token' }],
      seen_days: [3],
    },
  },
];

const record = {
  id: 'r1',
  other: 'r9',
  time: '2026-11-21T09:45:00Z',
  later: '2026-11-21T09:46:00Z',
  local: '2026-11-21 09:47:00',
  parts: [{ id: 'p1' }, { id: 'p2' }],
  action: 'read',
  kind: 'k',
  agent: 'penstock/0 (x)',
  org: 'acme',
};
const reply = {
  data: [record],
  none: [],
  named: { first: record },
  orgs: [{ id: 'o1', self: '/v1/logs/o1' }],
  rows: [['r1', '2026-11-21T09:45:00Z', 'read']],
  cells: [{ f: ['r1', '2026-11-21T09:45:00Z', 'read'].map((v) => ({ v })) }],
  cols: ['id', 'time', 'action'].map((name) => ({ name, title: `${name}_title` })),
  others: ['a', 'b', 'c'].map((name) => ({ name })),
  count: 40,
  one: 1,
  next: 't1',
  more: 't2',
  self: '/v1/logs?p=2',
  href: '/v1/logs?p=3',
  bare: '?p=2',
  foreign: 'https://internal/v1/logs?p=2',
  no: false,
  access_token: 'at-1',
  expires_in: 3600,
  soon: 10,
};

/** What a source with this connector does by default, asks, gets, and makes of a record; or why not. */
async function observed(flat: Values, places: Readonly<Record<string, string>>): Promise<string> {
  const spec = JSON.stringify(
    nested(Object.fromEntries(Object.entries(flat).filter(([, value]) => value !== undefined))),
  ).replace(/%(\w+)%/g, (_, name: string) => places[name] ?? '');
  const bundle = {
    name: 'vendor',
    connectors: [{ file: 'connector.yaml', text: spec }],
    actions: [{ file: 'actions.yaml', text: JSON.stringify(actions) }],
  };
  const connector = compileBundle(bundle, 'test');
  const asked: string[] = [];
  const client = {
    ...recordingClient(({ url }) => ({
      status: { '/refused': 403, '/wait': 202 }[url.pathname] ?? 200,
      body: reply,
      headers: { 'x-next': '/v1/logs?p=4', 'x-other': '/v1/logs?p=5' },
    })),
    openSocket: () => Promise.resolve(refusingSocket(asked) as Socket),
  };
  const seams = { ...systemSeams(), clock: skippingClock(), random: seededRandom(1) };
  const deps = {
    http: client,
    seams,
    log: silentLog(),
    userAgent: 'penstock/0 (x)',
    limit: () => Promise.resolve(),
    budget: () => undefined,
    tokens: {
      update: async <T>(_: string, change: (kept: undefined) => Promise<{ result: T }>) => (await change(undefined)).result,
    },
  };
  const reader = connector.open({}, deps);
  const facts = connector.records.examine({ value: record }, undefined);
  const came = await read(reader).catch(explain);
  // A minute later a token may have ended.
  const passed = seams.clock.monotonic.bind(seams.clock);
  Object.assign(seams.clock, { monotonic: () => passed() + 60_000 });
  const later = reader.kind === 'http_window' ? await read(reader).catch(explain) : undefined;
  return JSON.stringify([
    connector.defaults,
    connector.identity({}),
    facts,
    facts.isSelfMade('penstock/0 (x)'),
    came,
    later,
    client.seen,
    asked,
    seams.clock.waits,
  ]);
}

/** A connection whose peer answers every request with 401; `asked` gets what was asked, without the key that is new each time. */
function refusingSocket(asked: string[]): Duplex {
  const socket = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      asked.push(chunk.toString('latin1').replace(/sec-websocket-key: .*/i, ''));
      this.push('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      done();
    },
  });
  return socket;
}

/** Two details, the time between them included. */
async function readDetails({ details }: Pick<WindowReader, 'details'>, signal: AbortSignal): Promise<unknown> {
  if (details === undefined) return [];
  const linked = { ...record, self: '/v1/logs/linked', other_link: '/v1/logs/other', away: 'https://files.example.net/a' };
  return [await details.ask(linked, 'u1', signal), await details.ask(linked, 'u2', signal)];
}

async function read(reader: Reader): Promise<unknown> {
  const signal = AbortSignal.timeout(240_000);
  if (reader.kind === 'http_window') {
    const window = { from: 1_795_254_300_123, to: 1_795_254_900_456 };
    const page: Page = await reader.page({ ...window, state: null }, signal);
    const next = page.next === null ? undefined : await reader.page({ ...window, state: page.next }, signal);
    return [page, next, await reader.sweepPage?.({ state: null }, signal), await readDetails(reader, signal)];
  }
  if (reader.kind === 'http_cursor') {
    const { emptyPageContinues, pageSize, begins, range } = reader;
    const first = await reader.page({ state: null, from: 1_795_254_300_123 }, signal);
    const next = first.next === null ? undefined : await reader.page({ state: first.next }, signal);
    const now = await reader.page({ state: null, atEnd: true }, signal);
    return [
      emptyPageContinues,
      pageSize,
      begins,
      first,
      next,
      now,
      range && (await read(range)),
      await readDetails(reader, signal),
    ];
  }
  if (reader.kind === 'pulsar_websocket') {
    const { findings = [], fault } = (await reader.probe?.(signal)) ?? {};
    const handlers = { onMessages: () => Promise.resolve(), onState: () => undefined };
    return [findings, fault?.message, fault?.fix, await reader.run(handlers, signal).catch(explain)];
  }
  const { files, skipped } = await reader.list(signal);
  const rows: unknown[] = [];
  for (const file of files) for await (const chunk of reader.read(file, signal)) rows.push(...chunk);
  return [rows, skipped];
}

describe.each(languages)('an option of $name', ({ name, prefix, base, cases }) => {
  it('has an entry here', () => {
    expect(Object.keys(cases).sort((a, b) => a.localeCompare(b))).toEqual(
      [...(options[name] ?? [])].sort((a, b) => a.localeCompare(b)),
    );
  });

  it.each(Object.entries(cases))('does something: %s', async (option, [value, beside = {}]) => {
    const places = {
      FOLDER: await mkdtemp(join(tmpdir(), 'penstock-csv-')),
      EMPTY: await mkdtemp(join(tmpdir(), 'penstock-csv-')),
    };
    await writeFile(join(places.FOLDER, 'a.csv'), 'id,time,action,kind\nr1,2026-11-21T09:45:00Z,read,k\n');

    const before = await observed({ ...base, ...beside }, places);
    const again = await observed({ ...base, ...beside }, places);
    const after = await observed({ ...base, ...beside, [`${prefix}${option}`]: value }, places);

    // What differs by itself would show nothing.
    expect(again).toBe(before);
    expect(after).not.toBe(before);
  });
});
