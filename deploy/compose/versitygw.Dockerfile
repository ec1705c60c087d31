# A light S3 over a folder, from its Go module.
FROM golang:1.25.3-bookworm AS build
RUN CGO_ENABLED=0 go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

FROM debian:12.12-slim
RUN install -d -o 10001 -g 10001 -m 0750 /objects
COPY --from=build /go/bin/versitygw /usr/local/bin/versitygw
COPY versitygw.sh /usr/local/bin/start
USER 10001:10001
VOLUME ["/objects"]
EXPOSE 7070
HEALTHCHECK --interval=5s --timeout=3s --retries=10 CMD ["bash", "-c", "</dev/tcp/127.0.0.1/7070"]
ENTRYPOINT ["sh", "/usr/local/bin/start"]
