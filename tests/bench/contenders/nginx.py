"""nginx as somebody who knows it would put it in front of an API server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.bench.certificates import Certificates
from tests.bench.processes import Running, free_port, start
from tests.bench.programs import UnavailableError

CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 8192; }}
http {{
  log_format audit '$remote_addr "$ssl_client_s_dn" [$time_iso8601] "$request" $status $body_bytes_sent '
                   '$request_time "$http_user_agent"';
  access_log {folder}/access.log audit;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;

  map $http_upgrade $connection_for_upstream {{ default upgrade; "" ""; }}
  tcp_nodelay on;
  keepalive_timeout 180s;
  keepalive_requests 100000000;
  upstream cluster {{
    server {upstream};
    keepalive 1024;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=1024;
    ssl_certificate {certificates.server.certificate};
    ssl_certificate_key {certificates.server.key};
    ssl_client_certificate {certificates.ca};
    ssl_verify_client on;
    ssl_protocols TLSv1.3;
    ssl_session_cache off;
    ssl_session_tickets off;

    client_max_body_size 0;
    location / {{
      proxy_pass https://cluster;
      proxy_http_version 1.1;
      proxy_set_header Connection $connection_for_upstream;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_request_buffering off;   # a 2 GB body must not go to a file
      proxy_buffers 16 16k;          # lists pass through memory; watches turn buffering off by X-Accel-Buffering
      proxy_buffer_size 16k;
      proxy_max_temp_file_size 0;
      proxy_read_timeout 1h;
      proxy_ssl_certificate {certificates.proxy.certificate};
      proxy_ssl_certificate_key {certificates.proxy.key};
      proxy_ssl_trusted_certificate {certificates.ca};
      proxy_ssl_verify on;
      proxy_ssl_name localhost;
      proxy_ssl_protocols TLSv1.3;
    }}
  }}
}}
"""


def start_nginx(folder: Path, upstream: str, certificates: Certificates) -> Running:
    """Raises UnavailableError, StartError."""
    program = _program()
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, upstream=upstream, certificates=certificates))
    process = start([program, "-c", config, "-e", folder / "error.log"], port, folder / "output.log")
    return Running(
        f"127.0.0.1:{port}", certificates.client.certificate, certificates.client.key, certificates.ca, process
    )


def nginx_version() -> str:
    """Such as "nginx/1.22.1". Raises UnavailableError."""
    done = subprocess.run([_program(), "-v"], check=True, capture_output=True, text=True)
    return done.stderr.strip().rpartition(" ")[2]


def _program() -> str:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise UnavailableError("there is no nginx here; on Debian and Ubuntu: apt-get install nginx-light")
    return program
