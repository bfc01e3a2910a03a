export { attemptTimeoutMs } from './connect.ts';
export { decodeReply } from './decode-reply.ts';
export { certificateFix, endsHandshake, silentRefusal, wordsOf } from './fault.ts';
export { jsonOf, type ParsedJson, parseText, textSteps } from './json-reply.ts';
export { readSigningKey, signJwt } from './jwt.ts';
export { patientLookup } from './lookup.ts';
export {
  aheadMs,
  askAtTime,
  askForToken,
  type ClientProof,
  cacheToken,
  type MintedToken,
  type OAuth2Settings,
  oauth2ClientCredentials,
  readToken,
  refreshTokenIn,
  secretProof,
  type TokenShape,
  type TokenSource,
} from './oauth2.ts';
export { openHttpClient } from './open-http-client.ts';
export { ReplyMemory } from './reply-memory.ts';
export { answeredAt, retryAfterMs } from './retry-after.ts';
export { type LoadedTls, loadTls, pinFault } from './tls.ts';
