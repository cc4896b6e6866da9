/** Imports of the repository's TypeScript: files in no room, imports that point up, cycles. Reads no files itself. */
import { dirname, join, normalize } from 'node:path/posix';
import { FLOORS, PACKAGES } from './order.ts';

/** One line per fault. @param files paths from the repository's root. */
export function importFaults(files: readonly string[], read: (path: string) => string): string[] {
  const known = new Set(files);
  const graph = new Map<string, string[]>();
  const faults: string[] = [];
  for (const file of files.filter(isOurs)) {
    if (isInFolder(file) && roomOf(file) === null)
      faults.push(`${file} is in no room (scripts/checks/structure/order.ts)`);
    const specifiers = importsOf(read(file));
    const targets = specifiers.filter(isRelative).map((specifier) => normalize(join(dirname(file), specifier)));
    graph.set(
      file,
      targets.filter((target) => known.has(target)),
    );
    for (const target of targets) {
      const fault = known.has(target) ? pointsUp(file, target) : null;
      if (fault !== null) faults.push(fault);
    }
    for (const name of specifiers.filter((specifier) => !isRelative(specifier)))
      faults.push(...strayPackage(file, name));
  }
  return [...faults, ...cyclesOf(graph).map((cycle) => `import cycle: ${cycle.join(' > ')}`)];
}

/** What a module imports, types and dynamic imports of constant names included. */
function importsOf(text: string): string[] {
  const matches = text.matchAll(/(?:^|[\s;}])(?:from|import)\s*\(?\s*'([^']+)'/g);
  return [...new Set([...matches].map((match) => match[1]!))];
}

/** Import cycles, each as the files of one strongly connected component in their order (Tarjan). */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const target of graph.get(file) ?? []) {
      if (!order.has(target)) visit(target);
      if (stack.includes(target)) low.set(file, Math.min(low.get(file)!, low.get(target)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const component = stack.splice(stack.indexOf(file));
    if (component.length > 1 || graph.get(file)?.includes(file)) cycles.push(component);
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return cycles;
}

const ROOMS = FLOORS.flatMap((rooms, floor) => rooms.map((room) => ({ room, floor })));

function roomOf(file: string): { readonly room: string; readonly floor: number } | null {
  const fitting = ROOMS.filter(({ room }) => file === room || file.startsWith(`${room}/`));
  return fitting.sort((a, b) => b.room.length - a.room.length)[0] ?? null;
}

function pointsUp(file: string, target: string): string | null {
  const from = roomOf(file);
  const to = roomOf(target);
  if (from === null || to === null || from.room === to.room || to.floor > from.floor) return null;
  return `${file} imports ${target}: ${to.room} is not below ${from.room} (scripts/checks/structure/order.ts)`;
}

function strayPackage(file: string, name: string): string[] {
  if (!/^(worker|model-store)\//.test(file)) return [];
  const rule = PACKAGES.find((each) => name.startsWith(each.name));
  if (rule === undefined || rule.rooms.some((room) => file === room || file.startsWith(`${room}/`))) return [];
  return [`${file} imports ${name}: only ${rule.rooms.join(', ')} may`];
}

/** The engine's kernels are AssemblyScript. */
function isOurs(path: string): boolean {
  return /\.tsx?$/.test(path) && !path.startsWith('test/fixtures/') && !path.includes('/engine/kernels/');
}

/** Beside the rooms there are configurations of tools at the root, and declarations that import nothing. */
function isInFolder(path: string): boolean {
  return path.includes('/') && !path.endsWith('.d.ts');
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith('.');
}
