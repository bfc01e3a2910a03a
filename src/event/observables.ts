import { type Attributes, type Observable, unknownName } from './attributes.ts';

const types: Readonly<Record<number, string>> = {
  2: 'IP Address',
  5: 'Email Address',
  16: 'HTTP User-Agent',
  31: 'User Object: uid',
  33: 'Group Object: uid',
};

/** The values an analyst pivots on, each with its path; undefined when there are none. */
export function observablesOf({
  actor,
  user,
  group,
  src_endpoint: source,
  http_request: request,
}: Attributes): readonly Observable[] | undefined {
  const found: Observable[] = [];
  const add = (name: string, typeId: number, value: string | undefined): void => {
    if (value !== undefined && value !== unknownName)
      found.push({ name, type_id: typeId, type: types[typeId] ?? 'Other', value });
  };
  add('actor.user.email_addr', 5, actor?.user?.email_addr);
  add('actor.user.uid', 31, actor?.user?.uid);
  add('user.email_addr', 5, user?.email_addr);
  add('user.uid', 31, user?.uid);
  add('group.uid', 33, group?.uid);
  add('src_endpoint.ip', 2, source?.ip);
  add('http_request.user_agent', 16, request?.user_agent);
  return found.length === 0 ? undefined : found;
}
