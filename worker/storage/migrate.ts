/**
 * Schema versions of the tables in a Durable Object. A step runs once per object, the next time it wakes up; steps only add, so
 * that a rollback of the code still understands what a newer release left.
 */

/** One step: what a release changed. */
export interface Migration {
  /** From 1, without gaps. */
  readonly version: number;
  apply(sql: SqlStorage): void;
}

/**
 * Brings a component's tables to the newest version. Objects from before there were versions count as 0.
 * @param component one store of an object, which may hold several.
 */
export function migrate(sql: SqlStorage, component: string, migrations: readonly Migration[]): void {
  sql.exec('CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL)');
  const current = schemaVersion(sql, component);
  for (const { version, apply } of migrations) {
    if (version <= current) continue;
    apply(sql);
    sql.exec('INSERT OR REPLACE INTO schema_versions (component, version) VALUES (?, ?)', component, version);
  }
}

/** The version that a component's tables have. */
function schemaVersion(sql: SqlStorage, component: string): number {
  const query = 'SELECT version FROM schema_versions WHERE component = ?';
  return sql.exec<{ version: number }>(query, component).toArray()[0]?.version ?? 0;
}

/** Adds a column, unless the table has it. */
export function addColumn(sql: SqlStorage, table: string, name: string, definition: string): void {
  const columns = sql.exec<{ name: string }>(`PRAGMA table_info(${table})`).toArray();
  if (!columns.some((column) => column.name === name))
    sql.exec(`ALTER TABLE ${table} ADD COLUMN ${name} ${definition}`);
}
