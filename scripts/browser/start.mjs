// Chromium by playwright-core, both as scripts/browser-tools and the system have them.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

const caches = process.platform === 'darwin' ? join(homedir(), 'Library/Caches') : process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
const tools = join(process.env.PGPROOF_CACHE_DIR ?? join(caches, 'pgproof'), 'browser-tools');

function required(name) {
  try {
    return createRequire(join(tools, 'package.json'))(name);
  } catch {
    console.error(`${name} is not installed: run scripts/browser-tools (npm) once`);
    process.exit(3);
  }
}

export const axe = required('axe-core').source;

export async function chromium(options = {}) {
  const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'].find((path) => path && existsSync(path));
  if (!executablePath) {
    console.error('there is no Chromium: apt-get install chromium, or set CHROMIUM to its path');
    process.exit(3);
  }
  // Root has no sandbox in a container; what is opened are files of our own.
  return required('playwright-core').chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'], ...options });
}
