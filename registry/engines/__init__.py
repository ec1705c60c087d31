"""The engines that turn sockets into ASGI calls. Both are `async serve(app, config, sock, ready, stop)`."""
