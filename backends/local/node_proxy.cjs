// Loaded into every Node program that 'scenario emulator exec' starts, through NODE_OPTIONS.
//
// Node before 22.21 does not look at HTTPS_PROXY. This does it in Node's stead, for every version since 8 and
// whatever library asks: TLS to another machine goes through the proxy (CONNECT), plain HTTP through the
// default agents too, and any other connection to another machine is refused, so that no test leaves the
// machine by mistake. SCENARIO_PASSTHROUGH=1 lets those others through.
'use strict';

const http = require('http');
const net = require('net');
const tls = require('tls');
const { Duplex } = require('stream');

const proxy = /^http:\/\/(127\.0\.0\.1):(\d+)\/?$/.exec(process.env.HTTPS_PROXY || '');
const passthrough = process.env.SCENARIO_PASSTHROUGH === '1';
const LOCAL = /^(localhost|.*\.localhost|127(\.\d+){3}|::1|\[::1\]|0\.0\.0\.0|::|)$/i;

function isLocal(host) {
  return !host || LOCAL.test(host);
}

// A stream to host:port through the proxy; what is written waits until the proxy has answered.
class Tunnel extends Duplex {
  constructor(host, port) {
    super();
    this.waiting = null;
    this.open = false;
    this.socket = net.connect({ host: proxy[1], port: Number(proxy[2]) });
    const name = host.includes(':') ? `[${host}]` : host;
    this.socket.write(`CONNECT ${name}:${port} HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`);
    let head = Buffer.alloc(0);
    this.socket.on('data', (data) => {
      if (this.open) {
        if (!this.push(data)) this.socket.pause();
        return;
      }
      head = Buffer.concat([head, data]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const first = head.slice(0, end).toString('latin1').split('\r\n')[0];
      if (!/^HTTP\/1\.[01] 200/.test(first)) {
        this.destroy(new Error(`${host}:${port}: ${first.replace(/^HTTP\/1\.[01] \d+ ?/, '')}`));
        return;
      }
      this.open = true;
      const rest = head.slice(end + 4);
      if (rest.length) this.push(rest);
      if (this.waiting) {
        const waiting = this.waiting;
        this.waiting = null;
        waiting();
      }
    });
    this.socket.on('end', () => this.push(null));
    this.socket.on('error', (error) => this.destroy(error));
    this.socket.on('close', () => this.destroy());
  }

  _read() {
    this.socket.resume();
  }

  _write(chunk, encoding, done) {
    const write = () => this.socket.write(chunk, encoding, done);
    if (this.open) write();
    else this.waiting = write;
  }

  _final(done) {
    this.socket.end(done);
  }

  _destroy(error, done) {
    this.socket.destroy();
    done(error);
  }

  // What is asked of a connection that only a socket has.
  setKeepAlive() {
    return this;
  }

  setNoDelay() {
    return this;
  }

  setTimeout(milliseconds, done) {
    this.socket.setTimeout(milliseconds, done);
    return this;
  }

  ref() {
    this.socket.ref();
    return this;
  }

  unref() {
    this.socket.unref();
    return this;
  }
}

if (proxy) {
  const connectTls = tls.connect;
  tls.connect = function connect(...given) {
    const done = typeof given[given.length - 1] === 'function' ? given.pop() : undefined;
    let options = {};
    if (typeof given[0] === 'object') {
      options = given[0];
    } else {
      const second = typeof given[1] === 'string' ? { host: given[1] } : {};
      const last = typeof given[given.length - 1] === 'object' ? given[given.length - 1] : {};
      options = Object.assign({}, last, { port: given[0] }, second);
    }
    if (options.socket || options.path || isLocal(options.host)) {
      return connectTls.call(this, options, done);
    }
    const named = net.isIP(options.host) ? {} : { servername: options.host };
    const socket = new Tunnel(options.host, options.port || 443);
    const secure = connectTls.call(this, Object.assign(named, options, { socket }), done);
    socket.on('error', (error) => secure.destroy(error));
    return secure;
  };

  // Plain HTTP: the proxy is asked for the whole URL. Newer versions do that themselves.
  const [major, minor] = process.versions.node.split('.').map(Number);
  const byItself = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
  const addRequest = http.Agent.prototype.addRequest;
  http.Agent.prototype.addRequest = function add(request, options, ...more) {
    const host = options && options.host;
    if (!byItself && this.protocol === 'http:' && options && !options.socketPath && !isLocal(host)) {
      const port = options.port && Number(options.port) !== 80 ? `:${options.port}` : '';
      request.path = `http://${host}${port}${request.path}`;
      const through = Object.assign({}, options, { host: proxy[1], hostname: proxy[1], port: Number(proxy[2]) });
      return addRequest.call(this, request, through, ...more);
    }
    return addRequest.call(this, request, options, ...more);
  };

  if (!passthrough) {
    const connect = net.Socket.prototype.connect;
    net.Socket.prototype.connect = function connectSocket(...given) {
      const first = Array.isArray(given[0]) ? given[0][0] : given[0];
      const options =
        first !== null && typeof first === 'object'
          ? first
          : { port: first, host: typeof given[1] === 'string' ? given[1] : undefined };
      if (options.path || isLocal(options.host)) return connect.apply(this, given);
      const text = `${options.host}:${options.port}: refused by the Batch AI emulator; --passthrough lets other hosts through`;
      process.nextTick(() => this.destroy(new Error(text)));
      return this;
    };
  }
}
