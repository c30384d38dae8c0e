#!/usr/bin/env node
// Runs the mcpfunc release of this package's version, which is downloaded on first use and checked against
// checksums.txt. There is no install script: npm users rightly switch those off.
"use strict";
const { spawn, spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const { version } = require("./package.json");
const system = { linux: "linux", darwin: "darwin", win32: "windows" }[process.platform];
const machine = { x64: "amd64", arm64: "arm64" }[process.arch];
const archive = `mcpfunc_${version}_${system}_${machine}.${system === "windows" ? "zip" : "tar.gz"}`;
const program = system === "windows" ? "mcpfunc.exe" : "mcpfunc";

function cacheDir() {
  const base = process.env.XDG_CACHE_HOME || (system === "windows" ? process.env.LOCALAPPDATA : path.join(os.homedir(), ".cache"));
  return path.join(base || os.tmpdir(), "mcpfunc", version);
}

async function download(dir) {
  const sums = fs.readFileSync(path.join(__dirname, "checksums.txt"), "utf8");
  const line = sums.split("\n").find((l) => l.trim().endsWith("  " + archive));
  if (!line) throw new Error(`no release of mcpfunc ${version} for ${process.platform} on ${process.arch}`);
  const url = `https://github.com/mcpfunc/mcpfunc/releases/download/v${version}/${archive}`;
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`download ${url}: ${answer.status} ${answer.statusText}`);
  const data = Buffer.from(await answer.arrayBuffer());
  if (createHash("sha256").update(data).digest("hex") !== line.split(" ")[0]) {
    throw new Error(`${archive} does not have the SHA-256 that checksums.txt says`);
  }
  fs.mkdirSync(path.dirname(dir), { recursive: true });
  const unpacked = fs.mkdtempSync(dir + "-");
  const file = path.join(unpacked, archive);
  fs.writeFileSync(file, data);
  // bsdtar of Windows 10 and later reads zip files, too.
  const tar = spawnSync("tar", ["-xf", file, "-C", unpacked, program], { stdio: "inherit" });
  if (tar.status !== 0) throw new Error(`unpack ${archive}: tar ended with ${tar.status ?? tar.error?.message}`);
  fs.rmSync(file);
  try {
    fs.renameSync(unpacked, dir);
  } catch (err) {
    fs.rmSync(unpacked, { recursive: true, force: true });
    if (!fs.existsSync(path.join(dir, program))) throw err; // else another run was quicker
  }
}

async function main() {
  const dir = cacheDir();
  const file = path.join(dir, program);
  if (!fs.existsSync(file)) await download(dir);
  const child = spawn(file, process.argv.slice(2), { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 128 + os.constants.signals[signal] : code));
}

main().catch((err) => {
  console.error(`mcpfunc: ${err.message}`);
  process.exit(1);
});
