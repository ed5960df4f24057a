{{- /* A Job that runs a subcommand of furiosa-npu-chart-hook. name, hook, weight, account, command, options, tries, root;
once: it may never run again, so that nothing of it may stay where it fails. */}}
{{- define "furiosa-npu.hookJob" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  namespace: {{ include "furiosa-npu.namespace" .root }}
  labels:
    {{- include "furiosa-npu.hookLabels" . | nindent 4 }}
  annotations:
    {{- include "furiosa-npu.hookAnnotations" . | nindent 4 }}
    helm.sh/hook-output-log-policy: hook-failed
spec:
  backoffLimit: {{ .tries }}
  activeDeadlineSeconds: 240
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ .name }}
        app.kubernetes.io/part-of: furiosa-npu
    spec:
      serviceAccountName: {{ .account }}
      restartPolicy: Never
      priorityClassName: {{ .root.Values.priorityClassName }}
      {{- with .root.Values.image.pullSecrets }}
      imagePullSecrets: {{ toJson . }}
      {{- end }}
      nodeSelector:
        kubernetes.io/os: linux
      tolerations:
        {{- include "furiosa-npu.hookTolerations" .root | nindent 8 }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
        runAsGroup: 65534
        fsGroup: 65534 # the token's group, so that this user can read it
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: hook
          {{- include "furiosa-npu.hookContainer" . | nindent 10 }}
          env:
            - name: POD_NAMESPACE
              valueFrom:
                fieldRef:
                  fieldPath: metadata.namespace
          securityContext:
            allowPrivilegeEscalation: false
            capabilities:
              drop: ["ALL"]
            readOnlyRootFilesystem: true
{{- end }}

{{- /* Of Jobs and of the pod of `helm test`. Who tolerates every taint may be put on a node that is cut off, and never starts there. */}}
{{- define "furiosa-npu.hookTolerations" -}}
{{- $taint := .Values.startupTaint | default "npu.furiosa.ai/not-ready" -}}
{{- range list "node-role.kubernetes.io/control-plane" "node-role.kubernetes.io/master" $taint }}
- key: {{ . }}
  operator: Exists
{{- end }}
{{- range .Values.tolerations }}
{{- if .key }}
- {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Of everything that is there for a hook: where kubectl applied it, all goes by the second one. */}}
{{- define "furiosa-npu.hookLabels" -}}
app.kubernetes.io/part-of: furiosa-npu
app.kubernetes.io/component: chart-hook
{{- end }}

{{- define "furiosa-npu.hookAnnotations" -}}
helm.sh/hook: {{ .hook }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded{{ ternary ",hook-failed" "" (.once | default false) }}
{{- end }}

{{- define "furiosa-npu.hookContainer" -}}
image: {{ include "furiosa-npu.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: ["furiosa-npu-chart-hook"]
args: {{ concat (list .command) (.options | default list) | toJson }}
resources:
  requests:
    cpu: 10m
    memory: 32Mi
  limits:
    cpu: 500m
    memory: 128Mi
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{- /* An account and its rights in the whole cluster. name, hook, weight, rules, root. */}}
{{- define "furiosa-npu.hookAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ include "furiosa-npu.namespace" .root }}
  labels:
    {{- include "furiosa-npu.hookLabels" . | nindent 4 }}
  annotations:
    {{- include "furiosa-npu.hookAnnotations" . | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .name }}
  labels:
    {{- include "furiosa-npu.hookLabels" . | nindent 4 }}
  annotations:
    {{- include "furiosa-npu.hookAnnotations" . | nindent 4 }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "furiosa-npu.hookLabels" . | nindent 4 }}
  annotations:
    {{- include "furiosa-npu.hookAnnotations" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .name }}
    namespace: {{ include "furiosa-npu.namespace" .root }}
{{- end }}
