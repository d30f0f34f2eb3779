// Which names a request may call this machine by, and which addresses are its own. A page of another site can point a name of its own at
// this machine and read what it answers (DNS rebinding): such a name is neither.
import { execFile } from 'node:child_process';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { allowedNames } from '../settings/host-names.ts';

/** A name server that does not answer holds a request for no longer. */
const LOOKUP_MS = 2000;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** An address as the system writes it: without a zone, IPv4 not as IPv6. */
function plainAddress(address: string): string {
  return address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
}

/** Whether an address is this machine's own: a loopback one, or one of its network interfaces. */
export function isOwnAddress(address: string): boolean {
  const plain = plainAddress(address);
  if (isIP(plain) === 0) return false;
  if (LOOPBACK.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')) return true;
  return Object.values(networkInterfaces()).some((all) => all?.some((own) => plainAddress(own.address) === plain));
}

/** Name or address in a `Host` or in the authority of a URL, in lower case; undefined when it is none. */
export function hostNameOf(host: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:[\]@/\s]+))(?::\d*)?$/.exec(host) ?? [];
  const name = (bracketed?.replace(/%.*$/, '') ?? plain)?.toLowerCase().replace(/\.$/, '');
  return bracketed !== undefined && !isIPv6(name ?? '') ? undefined : name;
}

const fullNames = new Map<string, Promise<string | undefined>>();

/** What the system says is the full name of this machine (`hostname -f`: its hosts file, then its name servers). */
function fullNameOf(own: string): Promise<string | undefined> {
  const known = fullNames.get(own);
  if (known) return known;
  const found = new Promise<string | undefined>((resolve) => {
    execFile('hostname', ['-f'], { timeout: LOOKUP_MS }, (error, text) =>
      resolve(error ? undefined : text.trim().toLowerCase()),
    );
  });
  fullNames.set(own, found);
  return found;
}

/** Whether a `Host` has an address or this machine's short or full name, so nothing that a foreign name server could point here. */
export async function namesThisMachine(host: string): Promise<boolean> {
  const name = hostNameOf(host);
  if (name === undefined) return false;
  const own = hostname().toLowerCase();
  const [short = own] = own.split('.', 1);
  if (isIP(name) !== 0 || ['localhost', own, short].includes(name)) return true;
  return name.startsWith(`${short}.`) && name === (await fullNameOf(own));
}

/** Whether `--allowed-hosts` has the name of a `Host`. @param allowed as the setting has it */
export function isAllowedHost(host: string, allowed: string | null): boolean {
  const name = hostNameOf(host);
  if (name === undefined) return false;
  return allowedNames(allowed ?? '').some((known) =>
    known.startsWith('.') ? name === known.slice(1) || name.endsWith(known) : name === known,
  );
}
