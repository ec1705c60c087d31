{{/* The pod of a part, but for its container's own keys: (list . "server" container) with container as YAML. */}}
{{- define "dataforge.pod" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
{{- $own := index $root.Values $part -}}
metadata:
  labels: {{- include "dataforge.labels" (list $root $part) | nindent 4 }}
  annotations:
    checksum/config: {{ include "dataforge.config" $root | sha256sum }}
    {{- with $root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "dataforge.serviceAccount" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "dataforge.selector" (list $root $part) | nindent 10 }}
  {{- if $root.Values.database.migrate }}
  initContainers:
    - name: migrate
      args: [migrate, --config, /etc/dataforge-registry/config.yml]
      {{- include "dataforge.container" $root | nindent 6 }}
      resources: {requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}
  {{- end }}
  containers:
    - name: {{ $part }}
      {{- include "dataforge.container" $root | nindent 6 }}
      resources: {{- toYaml $own.resources | nindent 8 }}
      {{- index . 2 | nindent 6 }}
  volumes:
    - name: config
      configMap: {name: {{ include "dataforge.fullname" $root }}}
    - name: auth
      secret: {secretName: {{ include "dataforge.authSecret" $root }}, defaultMode: 0440}
    - name: database
      secret: {secretName: {{ include "dataforge.databaseSecret" $root }}, defaultMode: 0440}
    {{- with $root.Values.storage.existingSecret }}
    - name: storage
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- if eq $root.Values.storage.driver "filesystem" }}
    - name: blobs
      persistentVolumeClaim:
        claimName: {{ default (printf "%s-blobs" (include "dataforge.fullname" $root)) $root.Values.storage.filesystem.existingClaim }}
    {{- end }}
    - name: scratch
      emptyDir: {sizeLimit: {{ $root.Values.scratch }}}
    {{- if $root.Values.cacheGiB }}
    - name: cache
      emptyDir: {sizeLimit: {{ add $root.Values.cacheGiB 2 }}Gi}
    {{- end }}
  {{- with $own.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* What all containers of the image share. */}}
{{- define "dataforge.container" -}}
image: {{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.env }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: config, mountPath: /etc/dataforge-registry, readOnly: true}
  - {name: auth, mountPath: /run/secrets/dataforge/auth, readOnly: true}
  - {name: database, mountPath: /run/secrets/dataforge/database, readOnly: true}
  {{- if .Values.storage.existingSecret }}
  - {name: storage, mountPath: /run/secrets/dataforge/storage, readOnly: true}
  {{- end }}
  {{- if eq .Values.storage.driver "filesystem" }}
  - {name: blobs, mountPath: /var/lib/dataforge-registry}
  {{- end }}
  - {name: scratch, mountPath: /tmp}
  {{- if .Values.cacheGiB }}
  - {name: cache, mountPath: /var/cache/dataforge-registry}
  {{- end }}
{{- end -}}
