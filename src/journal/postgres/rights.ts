import type { PostgresEngine } from '../contract/open.ts';
import { Database } from './database.ts';

interface Rights {
  readonly schema: boolean;
  readonly makes: boolean;
  readonly mayUse: boolean;
  readonly mayCreate: boolean;
}

/** What a replica needs and the role of the database may not do: `CREATE on database x`. Changes nothing. */
export async function missingRights(engine: PostgresEngine): Promise<string[]> {
  const db = new Database({ ...engine, connections: 1 });
  try {
    const [row] = await db.query<Rights>(
      `SELECT n.oid IS NOT NULL AS schema, has_database_privilege(current_database(), 'CREATE') AS makes,
       coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS "mayUse", coalesce(has_schema_privilege(n.oid, 'CREATE'), false) AS "mayCreate"
       FROM (SELECT to_regnamespace($1) AS oid) n`,
      [db.s],
    );
    if (row?.schema !== true) return row?.makes === true ? [] : [`CREATE on the database, or a schema ${db.s} that it may use`];
    const ofSchema = [...(row.mayUse ? [] : ['USAGE']), ...(row.mayCreate ? [] : ['CREATE'])].map(
      (right) => `${right} on schema ${db.s}`,
    );
    const ofTables = await db.query<{ right: string }>(
      `SELECT string_agg(r, ', ' ORDER BY r) || ' on table ' || c.relname AS right
       FROM pg_class c CROSS JOIN unnest(ARRAY['DELETE', 'INSERT', 'SELECT', 'UPDATE']) AS r
       WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r' AND NOT has_table_privilege(c.oid, r) GROUP BY c.relname ORDER BY c.relname`,
      [db.s],
    );
    return [...ofSchema, ...ofTables.map(({ right }) => right)];
  } finally {
    await db.close();
  }
}
