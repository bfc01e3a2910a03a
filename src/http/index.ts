export { type OAuth2Settings, oauth2ClientCredentials, type TokenSource } from './oauth2.ts';
export { openHttpClient } from './open-http-client.ts';
export { retryAfterMs } from './retry-after.ts';
