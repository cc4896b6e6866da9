/** Links of the documentation: files that are there, headings that are there, paths in backticks that are there. Reads no files itself. */
import { dirname, join, normalize } from 'node:path/posix';

/** Folders that a path in backticks begins with. */
const TOP = /^(?:worker|model-store|gpu-backend|scripts|console|client|docs|test|examples)\//;

/** Records of what was: the paths in them are those of their day. */
const HISTORY = /^(?:CHANGELOG\.md|docs\/decisions\/\d)/;

/** One line per fault. @param files paths from the repository's root. */
export function documentationFaults(files: readonly string[], read: (path: string) => string): string[] {
  const known = new Set(files.flatMap((file) => [file, ...foldersOf(file)]));
  const pages = files.filter((file) => file.endsWith('.md') && !/\/(?:models|fixtures)\//.test(file));
  const texts = new Map(pages.map((page) => [page, withoutCode(read(page))]));
  const faults: string[] = [];
  for (const [page, text] of texts) {
    for (const link of linksOf(text)) {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : normalize(join(dirname(page), path)).replace(/\/$/, '');
      if (!known.has(target)) faults.push(`${page}: ${link} is not there`);
      else if (anchor !== undefined && texts.has(target) && !anchorsOf(texts.get(target)!).has(anchor)) {
        faults.push(`${page}: ${link}: ${target} has no such heading`);
      }
    }
    if (HISTORY.test(page)) continue;
    for (const path of pathsOf(text)) {
      if (!known.has(path) && !known.has(`${path}.test.ts`)) faults.push(`${page}: \`${path}\` is not there`);
    }
  }
  return faults;
}

/** Targets of links and pictures within the repository. */
function linksOf(text: string): string[] {
  const inline = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)].map((match) => match[1]!);
  const html = [...text.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1]!);
  return [...inline, ...html].filter((link) => !/^[a-z][a-z0-9+.-]*:|^\/\//i.test(link));
}

/** Paths in backticks that name one file or folder. */
function pathsOf(text: string): string[] {
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!.replace(/\/$/, ''));
  return spans.filter((span) => TOP.test(span) && /^[\w./-]+$/.test(span));
}

/** Headings as GitHub names them: lower case, without punctuation, hyphens for spaces, numbered when they come twice. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of text.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

function withoutCode(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '');
}

function foldersOf(file: string): string[] {
  const folder = dirname(file);
  return folder === '.' ? [] : [folder, ...foldersOf(folder)];
}
