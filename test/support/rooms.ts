import type { SourceFile } from './source.js';

/** Which rooms a room imports. */
export type RoomGraph = ReadonlyMap<string, ReadonlySet<string>>;

/** The room of a file, `platform` as one; null for the composition root. */
function roomOf(path: string): string | null {
  const [source, first = '', second = '', third] = path.split('/');
  if (source !== 'src' || second === '') return null;
  if (first !== 'auth') return first;
  return third === undefined ? null : `auth/${second}`;
}

/** The imports between rooms. */
export function roomGraph(files: readonly SourceFile[]): RoomGraph {
  const graph = new Map<string, Set<string>>();
  for (const { path, imports } of files) {
    const room = roomOf(path);
    if (room === null) continue;
    const imported = graph.get(room) ?? new Set();
    graph.set(room, imported);
    for (const target of imports) {
      const other = roomOf(target);
      if (other !== null && other !== room) imported.add(other);
    }
  }
  return graph;
}

/** The arrows that no path of other arrows implies (the transitive reduction); only for a graph without cycles. */
export function reduced(graph: RoomGraph): RoomGraph {
  const reaches = (from: string, to: string): boolean =>
    [...(graph.get(from) ?? [])].some((next) => next === to || reaches(next, to));
  return new Map(
    [...graph].map(([room, imported]) => [
      room,
      new Set([...imported].filter((to) => ![...imported].some((via) => via !== to && reaches(via, to)))),
    ]),
  );
}

/** A Mermaid flowchart of rooms; those of auth have a box of their own. */
export function mermaid(graph: RoomGraph): string {
  const rooms = [...graph.keys()].toSorted();
  const inAuth = rooms.filter((room) => room.startsWith('auth/'));
  const lines = [
    'flowchart TD',
    ...rooms.filter((room) => !inAuth.includes(room)).map((room) => `  ${idOf(room)}`),
    '  subgraph auth',
    ...inAuth.map((room) => `    ${idOf(room)}["${room.replace('auth/', '')}"]`),
    '  end',
    ...rooms.flatMap((room) =>
      [...(graph.get(room) ?? [])].toSorted().map((to) => `  ${idOf(room)} --> ${idOf(to)}`),
    ),
  ];
  return lines.join('\n');
}

function idOf(room: string): string {
  return room.replaceAll(/[^a-z]/g, '_');
}
