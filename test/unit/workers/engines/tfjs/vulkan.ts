// WebGPU in tests: on SwiftShader, a GPU in software, which Debian's chromium brings. Import this before anything that loads Vulkan.
import { existsSync } from 'node:fs';

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const LOADERS = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib/aarch64-linux-gnu/libvulkan.so.1'];

const missing = [
  ...(existsSync(SWIFTSHADER) ? [] : [`${SWIFTSHADER} (apt-get install chromium)`]),
  ...(LOADERS.some(existsSync) ? [] : ['libvulkan.so.1 (apt-get install libvulkan1)']),
];

process.env.VK_ICD_FILENAMES = SWIFTSHADER;
process.env.XDG_RUNTIME_DIR ??= '/tmp'; // Vulkan's loader complains where it is not set

/** What needs Vulkan, or nothing where it is missing, and then says so; in CI it must be there. */
export function withVulkan<const Item>(...items: Item[]): Item[] {
  if (missing.length === 0 || process.env.CI) return items;
  console.warn(`skipped: ${JSON.stringify(items)}, as there is no ${missing.join(' and no ')}`);
  return [];
}
