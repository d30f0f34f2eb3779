// The proxy that the environment names for a download: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, as curl, pip and npm read them.
import type { Dispatcher } from 'undici';
import { GanglionError } from '../../shared/error.ts';

export interface Proxy {
  /** Name of the variable. */
  readonly variable: string;
  readonly url: string;
}

const PROTOCOLS = ['http:', 'https:', 'socks:', 'socks5:'];

/** The first of the variables that is there, in small letters or capitals. */
function variableOf(names: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  return names.flatMap((name) => [name.toLowerCase(), name]).find((name) => env[name] !== undefined);
}

/**
 * The proxy for an address, whatever NO_PROXY says; undefined for none. An empty variable is none.
 *
 * @throws GanglionError `usage` when the variable holds no address of a proxy; passwords are not shown
 */
export function proxyOf(address: string, env: NodeJS.ProcessEnv = process.env): Proxy | undefined {
  const scheme = new URL(address).protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const variable = variableOf([scheme, 'ALL_PROXY'], env);
  const given = variable === undefined ? '' : (env[variable] ?? '').trim();
  if (variable === undefined || given === '') return undefined;
  const url = given.includes('://') ? given : `http://${given}`;
  if (URL.canParse(url) && PROTOCOLS.includes(new URL(url).protocol)) return { variable, url };
  const shown = JSON.stringify(given.replace(/^(.*:\/\/|)[^@]*@/, '$1...@').slice(0, 80));
  throw new GanglionError('usage', `${variable}: expected a proxy such as http://proxy.example:3128, got ${shown}`);
}

/** What sends requests through a proxy, but for the names of NO_PROXY. */
export async function proxyDispatcher({ url }: Proxy, env: NodeJS.ProcessEnv = process.env): Promise<Dispatcher> {
  const { EnvHttpProxyAgent } = await import('undici');
  const excepted = variableOf(['NO_PROXY'], env);
  const noProxy = excepted === undefined ? '' : (env[excepted] ?? '');
  // A proxy need not open tunnels to what is asked for in plain HTTP; many do to port 443 only.
  return new EnvHttpProxyAgent({ httpProxy: url, httpsProxy: url, noProxy, proxyTunnel: false });
}
