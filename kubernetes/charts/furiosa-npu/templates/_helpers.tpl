{{- define "furiosa-npu.namespace" -}}
{{ .Values.namespace | default .Release.Namespace }}
{{- end }}

{{- define "furiosa-npu.image" -}}
{{- $tagged := printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- with .Values.image.digest }}{{ printf "%s@%s" $.Values.image.repository . }}{{ else }}{{ $tagged }}{{ end }}
{{- end }}

{{- define "furiosa-npu.plane" -}}
{{- $served := .Capabilities.APIVersions.Has "resource.k8s.io/v1" -}}
{{- $works := and $served (semverCompare ">=1.36.0-0" .Capabilities.KubeVersion.Version) -}}
{{- if eq .Values.plane "auto" -}}
{{ ternary "dra" "device-plugin" $works }}
{{- else if and (eq .Values.plane "dra") (not $works) -}}
{{ fail (printf "plane: dra needs Kubernetes 1.36 or later with resource.k8s.io/v1, and this cluster is %s: set plane to auto or device-plugin" .Capabilities.KubeVersion.Version) }}
{{- else -}}
{{ .Values.plane }}
{{- end -}}
{{- end }}

{{- define "furiosa-npu.draIsServed" -}}
{{- if and (.Capabilities.APIVersions.Has "resource.k8s.io/v1") (semverCompare ">=1.34.0-0" .Capabilities.KubeVersion.Version) -}}
yes
{{- end -}}
{{- end }}

{{- /* "yes" where the DRA driver runs: to hand out cards, or beside the device plugin until no claim is left. */}}
{{- define "furiosa-npu.draDriver" -}}
{{- $dra := eq (include "furiosa-npu.plane" .) "dra" -}}
{{- if and $dra .Values.dra.retire -}}
{{ fail "dra.retire: true goes with plane: device-plugin, which takes over as pods with claims end" }}
{{- else if and .Values.dra.retire (not (include "furiosa-npu.draIsServed" .)) -}}
{{ fail (printf "dra.retire: true needs Kubernetes 1.34 or later with resource.k8s.io/v1, and this cluster is %s: there is no DRA driver to retire, set dra.retire to false" .Capabilities.KubeVersion.Version) }}
{{- else if or $dra .Values.dra.retire -}}
yes
{{- end -}}
{{- end }}

{{- define "furiosa-npu.admissionPolicies" -}}
{{- $kind := "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy" -}}
{{- $known := .Capabilities.APIVersions.Has $kind -}}
{{- if and (eq .Values.admissionPolicies "always") (not $known) -}}
{{ fail (printf "admissionPolicies: always needs Kubernetes 1.30 or later, and this cluster (%s) does not know %s: set admissionPolicies to auto or never" .Capabilities.KubeVersion.Version $kind) }}
{{- else if and $known (ne .Values.admissionPolicies "never") -}}
yes
{{- end -}}
{{- end }}

{{- /* The folder that stands for /dev, and what stands above it for the driver's files. */}}
{{- define "furiosa-npu.dev" -}}
{{ .Values.simulatedRoot | default "/dev" }}
{{- end }}

{{- /* A JSON list: the options that say where the driver's files are. */}}
{{- define "furiosa-npu.rootArgs" -}}
{{- $args := list -}}
{{- with .Values.simulatedRoot -}}
{{- $args = list (printf "--devfs-root=%s/dev" .) (printf "--sysfs-root=%s/sys" .) -}}
{{- end -}}
{{ toJson $args }}
{{- end }}

{{- /* nfd-worker has this folder fixed in its code. */}}
{{- define "furiosa-npu.featuresDir" -}}
/etc/kubernetes/node-feature-discovery/features.d
{{- end }}

{{- /* A JSON list: roots, health, startup taint and the file of `disable`, of agents that hand out cards. */}}
{{- define "furiosa-npu.cardArgs" -}}
{{- $args := include "furiosa-npu.rootArgs" . | fromJsonArray -}}
{{- $health := .Values.health | default dict -}}
{{- $first := dig "probationSeconds" 1 $health | int64 -}}
{{- $longest := dig "probationLongestSeconds" 300 $health | int64 -}}
{{- if gt $first $longest -}}
{{ fail (printf "health.probationSeconds: %d is more than health.probationLongestSeconds, %d" $first $longest) }}
{{- end -}}
{{- $quiet := dig "probationQuietSeconds" 3600 $health | int64 -}}
{{- if lt $quiet $longest -}}
{{ fail (printf "health.probationQuietSeconds: %d is less than health.probationLongestSeconds, %d" $quiet $longest) }}
{{- end -}}
{{- range $key, $value := omit $health "signs" -}}
{{- $args = append $args (printf "--%s=%v" (kebabcase $key) $value) -}}
{{- end -}}
{{- range $sign, $bound := $health.signs -}}
{{- if kindIs "bool" $bound -}}
{{- $bound = ternary "on" "off" $bound -}}
{{- end -}}
{{- $args = append $args (printf "--sign=%s=%v" $sign $bound) -}}
{{- end -}}
{{- with .Values.startupTaint -}}
{{- $args = append $args (printf "--startup-taint=%s" .) -}}
{{- end -}}
{{- if .Values.disable -}}
{{- $args = append $args "--config=/etc/furiosa-npu/config.yaml" -}}
{{- end -}}
{{ toJson $args }}
{{- end }}

{{- /* Of what goes to each node: those of the values, and one for the startup taint where they do not have it. */}}
{{- define "furiosa-npu.tolerations" -}}
{{- $tolerations := .Values.tolerations -}}
{{- with .Values.startupTaint -}}
{{- $lacking := list "NoSchedule" "NoExecute" -}}
{{- range $.Values.tolerations -}}
{{- if and (eq (.operator | default "Equal") "Exists") (has (.key | default "") (list "" $.Values.startupTaint)) -}}
{{- $lacking = .effect | empty | ternary list (without $lacking (.effect | default "")) -}}
{{- end -}}
{{- end -}}
{{- if $lacking -}}
{{- $tolerations = append $tolerations (dict "key" . "operator" "Exists") -}}
{{- end -}}
{{- end -}}
{{ toYaml $tolerations }}
{{- end }}

{{- define "furiosa-npu.resources" -}}
requests:
  {{- toYaml .requests | nindent 2 }}
limits:
  {{- toYaml .limits | nindent 2 }}
{{- end }}

{{- /* The rule with which an agent that hands out cards may take a taint from its node. */}}
{{- define "furiosa-npu.taintRule" -}}
{{- if .Values.startupTaint -}}
- apiGroups: [""]
  resources: ["nodes"]
  verbs: ["patch"]
{{- end -}}
{{- end }}

{{- define "furiosa-npu.monitoringMetadata" -}}
name: furiosa-npu
namespace: {{ include "furiosa-npu.namespace" . }}
labels:
  {{- toYaml (merge (dict "app.kubernetes.io/part-of" "furiosa-npu") (.Values.monitoring.labels | default dict)) | nindent 2 }}
{{- end }}
